//! `LeakyRelu`: x where x > 0, αx elsewhere.

use super::elementwise::{ELEMENTWISE, Elementwise};
use crate::ir::Operator;

pub(super) const OPERATOR: &dyn Operator = &Elementwise {
    name: "LeakyRelu",
    attributes: &["alpha"],
    euler: Some(1.0),
    adjoint: |call, s| {
        let slope = call.node.float("alpha", 0.01)?;
        Ok(s.select(call.x(0)?.greater(0.0), s * slope))
    },
    ..ELEMENTWISE
};
