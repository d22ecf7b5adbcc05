//! `Softplus`: ln(1 + eˣ), with derivative σ(x).

use super::elementwise::{ELEMENTWISE, Elementwise};
use crate::ir::{Operator, Sign};

pub(super) const OPERATOR: &dyn Operator = &Elementwise {
    name: "Softplus",
    sign: Sign::NonNegative,
    bounded: true,
    eval: Some(|v| v.exp().ln_1p()),
    gate: true,
    adjoint: |call, s| Ok(s * call.x(0)?.sigmoid()),
    ..ELEMENTWISE
};
