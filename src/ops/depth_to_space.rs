//! `DepthToSpace`: blocks of channels become blocks of pixels.

use super::movement::{MOVEMENT, Movement};
use crate::ir::{Call, Dim, Error, Expr, NodeRef, Operator, Type};
use crate::onnx::attribute::int;

pub(super) const OPERATOR: &dyn Operator = &Movement {
    name: "DepthToSpace",
    attributes: &["blocksize", "mode"],
    infer,
    adjoint,
    ..MOVEMENT
};

fn infer(node: NodeRef) -> Result<Vec<Type>, Error> {
    let (ty, block) = (node.ty(0)?, block(node)?);
    let Some(&[n, c, h, w]) = ty.shape.as_deref() else {
        return Err(Error::Unknown { what: "a shape of four axes".into() });
    };
    if c.known().is_some_and(|c| c % (block * block) != 0) {
        return Err(Error::Shapes { what: format!("blocks of {block} × {block} of channels") });
    }
    let grow = |dim: Dim| dim.map(block == 1, |size| size.saturating_mul(block));
    let channels = c.map(block == 1, |size| size / (block * block));
    Ok(vec![Type::new(ty.elem, vec![n, channels, grow(h), grow(w)])])
}

fn adjoint<'e>(call: &Call<'_, 'e>, s: Expr<'e>) -> Result<Expr<'e>, Error> {
    let block = block(call.node)?;
    if mode(call.node)? == "DCR" {
        return Ok(call.emitter().emit("SpaceToDepth", &[Some(s)], vec![int("blocksize", block)]));
    }
    // In the other mode the channels are the outer axis, as SpaceToDepth never has them.
    let x = call.raw(0)?;
    let dims = [0, 2, 3].map(|axis| x.ty().dim(axis).and_then(Dim::known).unwrap_or(-1));
    let Some(Dim::Known(channels)) = x.ty().dim(1) else {
        return Err(Error::Unknown { what: "the number of channels".into() });
    };
    let outer = channels / (block * block);
    let split = s.reshape(&[0, outer, dims[1], block, dims[2], block]);
    Ok(split.transpose(&[0, 1, 3, 5, 2, 4]).reshape_like(x))
}

/// Whether the channels of a block are the outer or the inner axis of the channels before.
pub(super) fn mode(node: NodeRef) -> Result<&'static str, Error> {
    node.one_of("mode", &["DCR", "CRD"])
}

/// The side of a block.
pub(super) fn block(node: NodeRef) -> Result<i64, Error> {
    let block = node.int("blocksize", 0)?;
    match (1..=1 << 15).contains(&block) {
        true => Ok(block),
        false => Err(Error::Attribute { name: "blocksize".into(), what: format!("is {block}") }),
    }
}
