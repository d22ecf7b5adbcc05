//! `Cast`.

use super::movement::{MOVEMENT, Movement};
use crate::{
    ir::{Error, Kind, NodeRef, Operator, Type},
    onnx::DataType,
};

pub(super) const OPERATOR: &dyn Operator = &Movement {
    name: "Cast",
    attributes: &["round_mode", "saturate", "to"],
    kind,
    infer: |node| node.like_input_of(target(node)?),
    eval: |of| of.x(0).cloned(),
    adjoint: |call, s| Ok(s.cast(call.node.ty(0)?.relevance())),
    ..MOVEMENT
};

fn kind(node: NodeRef) -> Result<Kind, Error> {
    Ok(between(node.ty(0)?, &Type { elem: target(node)?, shape: None }))
}

/// What a cast is: from a boolean there is nothing to flow to, and to an integer it is a rounding, but of an integer:
/// a token is the same token in fewer bits.
pub(super) fn between(from: &Type, to: &Type) -> Kind {
    let flows =
        to.is_float() && from.elem != DataType::Bool || to.is_integer() && from.is_integer();
    if flows { Kind::Movement } else { Kind::Stop }
}

fn target(node: NodeRef) -> Result<DataType, Error> {
    let to = node.int("to", 0)?;
    let known = i32::try_from(to).ok().and_then(|to| DataType::try_from(to).ok());
    known.filter(|elem| *elem != DataType::Undefined).ok_or_else(|| Error::Attribute {
        name: "to".into(),
        what: format!("is {to}, which is no element type"),
    })
}
