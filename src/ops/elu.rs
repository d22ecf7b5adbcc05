//! `Elu`: x where x > 0, α (eˣ − 1) elsewhere, with derivative y + α there.

use super::elementwise::{ELEMENTWISE, Elementwise};
use crate::ir::Operator;

pub(super) const OPERATOR: &dyn Operator = &Elementwise {
    name: "Elu",
    attributes: &["alpha"],
    bounded: true,
    adjoint: |call, s| {
        let slope = s * (call.y() + call.node.float("alpha", 1.0)?);
        Ok(s.select(call.x(0)?.greater(0.0), slope))
    },
    ..ELEMENTWISE
};
