//! `Selu`: γ x where x > 0, γα (eˣ − 1) elsewhere, with derivative y + γα there.

use super::elementwise::{ELEMENTWISE, Elementwise};
use crate::ir::Operator;

pub(super) const OPERATOR: &dyn Operator = &Elementwise {
    name: "Selu",
    attributes: &["alpha", "gamma"],
    bounded: true,
    adjoint: |call, s| {
        let alpha = call.node.float("alpha", 1.673_263_2)?;
        let gamma = call.node.float("gamma", 1.050_701)?;
        let slope = s * (call.y() + alpha * gamma);
        Ok((s * gamma).select(call.x(0)?.greater(0.0), slope))
    },
    ..ELEMENTWISE
};
