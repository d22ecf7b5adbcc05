//! `Cosh`, with derivative sinh x.

use super::elementwise::{ELEMENTWISE, Elementwise};
use crate::ir::{Operator, Sign};

pub(super) const OPERATOR: &dyn Operator = &Elementwise {
    name: "Cosh",
    singular: true,
    sign: Sign::NonNegative,
    adjoint: |call, s| Ok(s * call.x(0)?.unary("Sinh")),
    ..ELEMENTWISE
};
