//! `Unique`: each element once, or each part along an axis. It has the relevance of the first that is equal to it.

use super::movement::{MOVEMENT, Movement};
use crate::{
    ir::{Call, Dim, Error, Expr, NodeRef, Operator, Type},
    onnx::DataType,
};

pub(super) const OPERATOR: &dyn Operator = &Movement {
    name: "Unique",
    since: 11,
    attributes: &["axis", "sorted"],
    infer,
    adjoint,
    ..MOVEMENT
};

fn infer(node: NodeRef) -> Result<Vec<Type>, Error> {
    let ty = node.ty(0)?;
    let values = match along(node)? {
        None => Type::new(ty.elem, vec![Dim::Unknown]),
        Some(along) => {
            let mut ty = ty.clone();
            if let Some(dim) = ty.shape.as_mut().and_then(|dims| dims.get_mut(along)) {
                *dim = Dim::Unknown;
            }
            ty
        }
    };
    let places = Type::new(DataType::Int64, vec![Dim::Unknown]);
    Ok(vec![values, places.clone(), places.clone(), places])
}

fn adjoint<'e>(call: &Call<'_, 'e>, s: Expr<'e>) -> Result<Expr<'e>, Error> {
    let (x, along) = (call.raw(0)?, along(call.node)?);
    let attributes = call.node.attributes().to_vec();
    let results = call.emitter().emit_all("Unique", &[Some(x)], attributes, 2);
    let &[_, places] = results.as_slice() else {
        return Err(Error::Unknown { what: "the places of Unique".into() });
    };
    let list = if along.is_some() { x } else { x.reshape(&[-1]) };
    let along = along.unwrap_or(0);
    Ok(s.put_at(places, true, along, list.size(along))?.reshape_like(x))
}

/// The axis, if the tensor is not taken as one list.
fn along(node: NodeRef) -> Result<Option<usize>, Error> {
    let rank = node.rank(0)?;
    node.attribute("axis").map(|_| node.axis("axis", 0, rank)).transpose()
}
