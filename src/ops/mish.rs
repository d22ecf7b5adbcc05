//! `Mish`: x · t with t = tanh(ln(1 + eˣ)), with derivative t + x σ(x) (1 − t²).

use super::elementwise::{ELEMENTWISE, Elementwise};
use crate::ir::Operator;

pub(super) const OPERATOR: &dyn Operator = &Elementwise {
    name: "Mish",
    since: 18,
    adjoint: |call, s| {
        let x = call.x(0)?;
        let gate = x.unary("Softplus").unary("Tanh");
        Ok(s * (gate + x * x.sigmoid() * (1.0 - gate * gate)))
    },
    ..ELEMENTWISE
};
