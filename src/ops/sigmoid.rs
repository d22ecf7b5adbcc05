//! `Sigmoid`: y = 1 / (1 + e⁻ˣ), with derivative y (1 − y).

use super::elementwise::{ELEMENTWISE, Elementwise};
use crate::ir::{Operator, Sign};

pub(super) const OPERATOR: &dyn Operator = &Elementwise {
    name: "Sigmoid",
    sign: Sign::NonNegative,
    bounded: true,
    eval: Some(|v| 1.0 / (1.0 + (-v).exp())),
    gate: true,
    adjoint: |call, s| {
        let y = call.y();
        Ok(s * (y - y * y))
    },
    ..ELEMENTWISE
};
