//! `Sinh`, with derivative √(1 + y²).

use super::elementwise::{ELEMENTWISE, Elementwise};
use crate::ir::Operator;

pub(super) const OPERATOR: &dyn Operator = &Elementwise {
    name: "Sinh",
    singular: true,
    adjoint: |call, s| {
        let y = call.y();
        Ok(s * (y * y + 1.0).sqrt())
    },
    ..ELEMENTWISE
};
