//! `TopK`: the largest values along an axis; their indices carry nothing.

use super::movement::{MOVEMENT, Movement};
use crate::{
    ir::{Call, Dim, Error, Expr, NodeRef, Operator, Type, Value},
    onnx::DataType,
};

pub(super) const OPERATOR: &dyn Operator = &Movement {
    name: "TopK",
    attributes: &["axis", "k", "largest", "sorted"],
    inputs: 2,
    infer,
    adjoint,
    ..MOVEMENT
};

fn infer(node: NodeRef) -> Result<Vec<Type>, Error> {
    let mut ty = node.ty(0)?.clone();
    let along = along(node)?;
    let k = match node.opset() {
        ..10 => Dim::Known(node.int("k", 1)?),
        _ => node.contents(1).and_then(|k| k.first().copied()).unwrap_or(Dim::Unknown),
    };
    if let Some(dim) = ty.shape.as_mut().and_then(|dims| dims.get_mut(along)) {
        *dim = k;
    }
    Ok(vec![ty.clone(), ty.with(DataType::Int64)])
}

fn adjoint<'e>(call: &Call<'_, 'e>, s: Expr<'e>) -> Result<Expr<'e>, Error> {
    let x = call.x(0)?;
    let indices = Value { node: call.node.index(), slot: 1 };
    if call.node.graph().outputs(indices.node).all(|value| value != indices) {
        return Err(Error::Unsupported { what: "TopK without its indices".into() });
    }
    let zeros = call.emitter().zeros_like(s.ty().elem, x);
    let indices = call.emitter().value(indices);
    // Indices do not repeat.
    Ok(zeros.scatter(indices, s, along(call.node)?))
}

fn along(node: NodeRef) -> Result<usize, Error> {
    node.axis("axis", -1, node.rank(0)?)
}
