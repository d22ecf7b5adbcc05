//! `MaxUnpool`: elements at the places that a `MaxPool` found them at, in zeros.

use super::movement::{MOVEMENT, Movement};
use crate::{
    ir::{Dim, Error, NodeRef, Operator, Type},
    onnx::attribute::int,
};

pub(super) const OPERATOR: &dyn Operator = &Movement {
    name: "MaxUnpool",
    attributes: &["kernel_shape", "pads", "strides"],
    inputs: 3,
    infer,
    // The places count through the whole result.
    adjoint: |call, s| {
        let operands = [Some(s.reshape(&[-1])), Some(call.raw(1)?)];
        Ok(call.emitter().emit("Gather", &operands, vec![int("axis", 0)]))
    },
    ..MOVEMENT
};

fn infer(node: NodeRef) -> Result<Vec<Type>, Error> {
    let ty = node.ty(0)?;
    let rank = node.rank(0)?;
    let axes = rank.saturating_sub(2);
    let kernel = node.ints("kernel_shape")?.unwrap_or_default();
    let (strides, pads) = (node.ints("strides")?, node.ints("pads")?);
    let (strides, pads) = (
        strides.map_or_else(|| vec![1; axes], <[i64]>::to_vec),
        pads.map_or_else(|| vec![0; 2 * axes], <[i64]>::to_vec),
    );
    if kernel.len() != axes || strides.len() != axes || pads.len() != 2 * axes {
        let what = format!("a window of {} axes for {axes}", kernel.len());
        return Err(Error::Shapes { what });
    }
    // One place may be found by several windows, of which the last would count.
    if kernel.iter().zip(&strides).any(|(size, step)| step < size) {
        return Err(Error::Unsupported { what: "MaxUnpool of windows that overlap".into() });
    }
    if node.input(2).is_some() {
        let shape = node.contents(2).map(<[Dim]>::to_vec);
        return Ok(vec![Type { elem: ty.elem, shape }]);
    }
    let mut dims = ty.shape.clone().unwrap_or_default();
    for (axis, dim) in dims.iter_mut().skip(2).enumerate() {
        let (step, more) = (strides[axis], kernel[axis] - pads[axis] - pads[axis + axes]);
        let size = |n: i64| (n - 1).saturating_mul(step).saturating_add(more);
        *dim = dim.map(false, size);
    }
    Ok(vec![Type::new(ty.elem, dims)])
}
