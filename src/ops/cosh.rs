//! `Cosh`, with derivative sinh x.

use super::elementwise::Elementwise;
use crate::ir::{Operator, Sign};

pub(super) const OPERATOR: &dyn Operator = &Elementwise {
    name: "Cosh",
    since: 9,
    sign: Sign::NonNegative,
    bounded: false,
    euler: None,
    adjoint: |call, s| Ok(s * call.x(0)?.unary("Sinh")),
};
