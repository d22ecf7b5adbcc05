//! `Exp`: eˣ, its own derivative.

use super::elementwise::{ELEMENTWISE, Elementwise};
use crate::ir::{Operator, Sign};

pub(super) const OPERATOR: &dyn Operator = &Elementwise {
    name: "Exp",
    singular: true,
    sign: Sign::NonNegative,
    bounded: true,
    eval: Some(f64::exp),
    adjoint: |call, s| Ok(s * call.y()),
    ..ELEMENTWISE
};
