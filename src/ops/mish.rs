//! `Mish`: x · t with t = tanh(ln(1 + eˣ)), with derivative t + x σ(x) (1 − t²).

use super::elementwise::Elementwise;
use crate::ir::{Operator, Sign};

pub(super) const OPERATOR: &dyn Operator = &Elementwise {
    name: "Mish",
    since: 18,
    sign: Sign::Any,
    bounded: false,
    euler: None,
    adjoint: |call, s| {
        let x = call.x(0)?;
        let gate = x.unary("Softplus").unary("Tanh");
        Ok(s * (gate + x * x.sigmoid() * (1.0 - gate * gate)))
    },
};
