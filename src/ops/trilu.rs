//! `Trilu`: a triangle of each matrix, zeros elsewhere.

use super::movement::{MOVEMENT, Movement};
use crate::ir::Operator;

pub(super) const OPERATOR: &dyn Operator = &Movement {
    name: "Trilu",
    since: 14,
    attributes: &["upper"],
    inputs: 2,
    adjoint: |call, s| {
        let attributes = call.node.attributes().to_vec();
        Ok(call.emitter().emit("Trilu", &[Some(s), call.raw(1).ok()], attributes))
    },
    ..MOVEMENT
};
