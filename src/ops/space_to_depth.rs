//! `SpaceToDepth`: blocks of pixels become blocks of channels.

use super::{
    depth_to_space::{block, mode},
    movement::{MOVEMENT, Movement},
};
use crate::ir::{Call, Dim, Error, Expr, NodeRef, Operator, Type};
use crate::onnx::attribute::{int, string};

pub(super) const OPERATOR: &dyn Operator = &Movement {
    name: "SpaceToDepth",
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
    if [h, w].iter().any(|dim| dim.known().is_some_and(|n| n % block != 0)) {
        return Err(Error::Shapes { what: format!("blocks of {block} × {block} pixels") });
    }
    let shrink = |dim: Dim| dim.map(block == 1, |size| size / block);
    let channels = c.map(block == 1, |size| size.saturating_mul(block * block));
    Ok(vec![Type::new(ty.elem, vec![n, channels, shrink(h), shrink(w)])])
}

fn adjoint<'e>(call: &Call<'_, 'e>, s: Expr<'e>) -> Result<Expr<'e>, Error> {
    let mut attributes = vec![int("blocksize", block(call.node)?)];
    attributes.extend((mode(call.node)? == "CRD").then(|| string("mode", "CRD")));
    Ok(call.emitter().emit("DepthToSpace", &[Some(s)], attributes))
}
