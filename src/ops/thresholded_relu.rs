//! `ThresholdedRelu`: x where x > α, 0 elsewhere.

use super::elementwise::{ELEMENTWISE, Elementwise};
use crate::ir::Operator;

pub(super) const OPERATOR: &dyn Operator = &Elementwise {
    name: "ThresholdedRelu",
    attributes: &["alpha"],
    since: 10,
    euler: Some(1.0),
    adjoint: |call, s| {
        let above = call.x(0)?.greater(call.node.float("alpha", 1.0)?);
        Ok(s.masked(above))
    },
    ..ELEMENTWISE
};
