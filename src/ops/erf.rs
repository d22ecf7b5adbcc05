//! `Erf`: the error function, with derivative 2/√π · exp(−x²).

use super::elementwise::{ELEMENTWISE, Elementwise};
use crate::ir::Operator;
use std::f64::consts::FRAC_2_SQRT_PI;

pub(super) const OPERATOR: &dyn Operator = &Elementwise {
    name: "Erf",
    bounded: true,
    gate: true,
    adjoint: |call, s| {
        let x = call.x(0)?;
        Ok(s * (-(x * x)).exp() * FRAC_2_SQRT_PI)
    },
    ..ELEMENTWISE
};
