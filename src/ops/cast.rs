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
    let ty = Type { elem: target(node)?, shape: None };
    // To an integer it is a rounding; from a boolean there is nothing to flow to.
    let flows = ty.is_float() && node.ty(0)?.elem != DataType::Bool;
    Ok(if flows { Kind::Movement } else { Kind::Stop })
}

fn target(node: NodeRef) -> Result<DataType, Error> {
    let to = node.int("to", 0)?;
    let known = i32::try_from(to).ok().and_then(|to| DataType::try_from(to).ok());
    known.filter(|elem| *elem != DataType::Undefined).ok_or_else(|| Error::Attribute {
        name: "to".into(),
        what: format!("is {to}, which is no element type"),
    })
}
