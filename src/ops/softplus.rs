//! `Softplus`: ln(1 + eˣ), with derivative σ(x).

use super::elementwise::Elementwise;
use crate::ir::{Operator, Sign};

pub(super) const OPERATOR: &dyn Operator = &Elementwise {
    name: "Softplus",
    since: 9,
    sign: Sign::NonNegative,
    bounded: true,
    euler: None,
    adjoint: |call, s| Ok(s * call.x(0)?.sigmoid()),
};
