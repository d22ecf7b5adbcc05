//! `Erf`: the error function, with derivative 2/√π · exp(−x²).

use super::elementwise::Elementwise;
use crate::ir::{Operator, Sign};
use std::f64::consts::FRAC_2_SQRT_PI;

pub(super) const OPERATOR: &dyn Operator = &Elementwise {
    name: "Erf",
    since: 9,
    sign: Sign::Any,
    bounded: true,
    euler: None,
    adjoint: |call, s| {
        let x = call.x(0)?;
        Ok(s * (-(x * x)).exp() * FRAC_2_SQRT_PI)
    },
};
