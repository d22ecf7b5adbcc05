//! `Celu`: x where x > 0, α (eˣᐟᵅ − 1) elsewhere, with derivative y/α + 1 there.

use super::elementwise::Elementwise;
use crate::ir::{Operator, Sign};

pub(super) const OPERATOR: &dyn Operator = &Elementwise {
    name: "Celu",
    since: 12,
    sign: Sign::Any,
    bounded: true,
    euler: None,
    adjoint: |call, s| {
        let slope = s * (call.y() / call.node.float("alpha", 1.0)? + 1.0);
        Ok(s.select(call.x(0)?.greater(0.0), slope))
    },
};
