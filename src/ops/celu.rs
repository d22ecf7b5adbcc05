//! `Celu`: x where x > 0, α (eˣᐟᵅ − 1) elsewhere, with derivative y/α + 1 there.

use super::elementwise::{ELEMENTWISE, Elementwise};
use crate::ir::Operator;

pub(super) const OPERATOR: &dyn Operator = &Elementwise {
    name: "Celu",
    attributes: &["alpha"],
    since: 12,
    bounded: true,
    adjoint: |call, s| {
        let slope = s * (call.y() / call.node.float("alpha", 1.0)? + 1.0);
        Ok(s.select(call.x(0)?.greater(0.0), slope))
    },
    ..ELEMENTWISE
};
