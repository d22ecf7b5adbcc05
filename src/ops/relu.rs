//! `Relu`: max(x, 0), with derivative 0 at 0. Its derivative is read off the result, which survives
//! where a runtime fuses the operator with the layer before it.

use super::elementwise::{ELEMENTWISE, Elementwise};
use crate::ir::{Operator, Sign};

pub(super) const OPERATOR: &dyn Operator = &Elementwise {
    name: "Relu",
    sign: Sign::NonNegative,
    euler: Some(1.0),
    eval: Some(|v| if v < 0.0 { 0.0 } else { v }),
    adjoint: |call, s| Ok(s * call.y().sign()),
    ..ELEMENTWISE
};
