//! `Acos`, with derivative −1 / √(1 − x²).

use super::elementwise::{ELEMENTWISE, Elementwise};
use crate::ir::{Operator, Sign};

pub(super) const OPERATOR: &dyn Operator = &Elementwise {
    name: "Acos",
    singular: true,
    sign: Sign::NonNegative,
    adjoint: |call, s| {
        let x = call.x(0)?;
        Ok(-(s / (1.0 - x * x).sqrt()))
    },
    ..ELEMENTWISE
};
