//! `Sigmoid`: y = 1 / (1 + e⁻ˣ), with derivative y (1 − y).

use super::elementwise::Elementwise;
use crate::ir::{Operator, Sign};

pub(super) const OPERATOR: &dyn Operator = &Elementwise {
    name: "Sigmoid",
    since: 9,
    sign: Sign::NonNegative,
    bounded: true,
    euler: None,
    adjoint: |call, s| {
        let y = call.y();
        Ok(s * (y - y * y))
    },
};
