//! `Abs`: |x|, with derivative sign(x).

use super::elementwise::{ELEMENTWISE, Elementwise};
use crate::ir::{Operator, Sign};

pub(super) const OPERATOR: &dyn Operator = &Elementwise {
    name: "Abs",
    sign: Sign::NonNegative,
    euler: Some(1.0),
    eval: Some(f64::abs),
    adjoint: |call, s| Ok(s * call.x(0)?.sign()),
    ..ELEMENTWISE
};
