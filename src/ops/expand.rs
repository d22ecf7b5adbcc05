//! `Expand`: broadcasting to a shape.

use super::movement::{MOVEMENT, Movement};
use crate::ir::{Error, NodeRef, Operator, Type, broadcast};

pub(super) const OPERATOR: &dyn Operator = &Movement {
    name: "Expand",
    inputs: 2,
    infer,
    eval: |of| of.x(0)?.broadcast(of.shape),
    adjoint: |call, s| s.sum_to(call.raw(0)?),
    ..MOVEMENT
};

fn infer(node: NodeRef) -> Result<Vec<Type>, Error> {
    let x = node.ty(0)?;
    let Some(shape) = node.contents(1) else {
        return Ok(vec![Type { elem: x.elem, shape: None }]);
    };
    let target = Type::new(x.elem, shape.to_vec());
    let shape = broadcast([x, &target])
        .map_err(|(a, b)| Error::Shapes { what: format!("sizes {a} and {b} do not broadcast") })?;
    Ok(vec![Type { elem: x.elem, shape }])
}
