//! `Swish`: x σ(αx), with derivative σ + αx σ (1 − σ).

use super::elementwise::Elementwise;
use crate::ir::{Operator, Range};

pub(super) const OPERATOR: &dyn Operator = &Elementwise {
    name: "Swish",
    since: 24,
    range: Range::Any,
    bounded: false,
    degree: None,
    adjoint: |call, s| {
        let (x, alpha) = (call.x(0)?, call.node.float("alpha", 1.0)?);
        let gate = (x * alpha).sigmoid();
        Ok(s * (gate + x * (gate - gate * gate) * alpha))
    },
};
