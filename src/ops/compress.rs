//! `Compress`: the elements along an axis that a list of booleans chooses.

use super::movement::{MOVEMENT, Movement};
use crate::ir::{Call, Dim, Error, Expr, NodeRef, Operator, Type};
use crate::onnx::DataType;

pub(super) const OPERATOR: &dyn Operator =
    &Movement { name: "Compress", attributes: &["axis"], inputs: 2, infer, adjoint, ..MOVEMENT };

fn infer(node: NodeRef) -> Result<Vec<Type>, Error> {
    let ty = node.ty(0)?;
    let mut dims = ty.shape.clone().ok_or(Error::Unknown { what: "the shape".into() })?;
    let kept = match node.contents(1) {
        Some(chosen) if chosen.iter().all(|d| d.known().is_some()) => {
            Dim::Known(chosen.iter().filter(|&&d| d != Dim::Known(0)).count() as i64)
        }
        _ => Dim::Unknown,
    };
    let along = along(node)?;
    let available = along.map_or_else(|| ty.count(), |axis| dims.get(axis)?.known());
    if let (Some(chosen), Some(available)) = (node.contents(1), available)
        && chosen.len() as i64 > available
    {
        let what = format!("{} booleans choose among {available} elements", chosen.len());
        return Err(Error::Shapes { what });
    }
    match along {
        Some(axis) => dims[axis] = kept,
        None => dims = vec![kept],
    }
    Ok(vec![Type::new(ty.elem, dims)])
}

fn adjoint<'e>(call: &Call<'_, 'e>, s: Expr<'e>) -> Result<Expr<'e>, Error> {
    let x = call.raw(0)?;
    let condition = call.raw(1)?;
    let along = along(call.node)?;
    let list = if along.is_some() { x } else { x.reshape(&[-1]) };
    let along = along.unwrap_or(0);
    if let (Some(chosen), Some(Dim::Known(size))) =
        (call.node.constant_ints(1), list.ty().dim(along))
    {
        let places: Vec<_> = (0..chosen.len()).filter(|&place| chosen[place] != 0).collect();
        if let Some(gradient) = s.put_at_known(&places, along, size) {
            return Ok(gradient.reshape_like(x));
        }
    }
    let places = call.emitter().positions(list, along)?.reshape(&[-1]);
    let chosen = call.emitter().emit("Compress", &[Some(places), Some(condition)], vec![]);
    let places = chosen.assume(Type::new(DataType::Int64, vec![Dim::Unknown]));
    Ok(s.put_at(places, true, along, list.size(along))?.reshape_like(x))
}

/// The axis, if the tensor is not taken as one list.
fn along(node: NodeRef) -> Result<Option<usize>, Error> {
    let rank = node.rank(0)?;
    node.attribute("axis").map(|_| node.axis("axis", 0, rank)).transpose()
}
