//! `Swish`: x σ(αx), with derivative σ + αx σ (1 − σ).

use super::elementwise::{ELEMENTWISE, Elementwise};
use crate::ir::Operator;

pub(super) const OPERATOR: &dyn Operator = &Elementwise {
    name: "Swish",
    attributes: &["alpha"],
    since: 24,
    adjoint: |call, s| {
        let (x, alpha) = (call.x(0)?, call.node.float("alpha", 1.0)?);
        let gate = (x * alpha).sigmoid();
        Ok(s * (gate + x * (gate - gate * gate) * alpha))
    },
    ..ELEMENTWISE
};
