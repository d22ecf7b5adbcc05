//! `Shrink`: what lies beyond ±λ, moved towards 0 by a bias, and 0 between.

use super::elementwise::{ELEMENTWISE, Elementwise};
use crate::ir::Operator;

pub(super) const OPERATOR: &dyn Operator = &Elementwise {
    name: "Shrink",
    attributes: &["bias", "lambd"],
    adjoint: |call, s| Ok(s * call.x(0)?.abs().is_above(call.node.float("lambd", 0.5)?)),
    ..ELEMENTWISE
};
