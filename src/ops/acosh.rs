//! `Acosh`, with derivative 1 / √(x² − 1).

use super::elementwise::{ELEMENTWISE, Elementwise};
use crate::ir::{Operator, Sign};

pub(super) const OPERATOR: &dyn Operator = &Elementwise {
    name: "Acosh",
    singular: true,
    sign: Sign::NonNegative,
    adjoint: |call, s| {
        let x = call.x(0)?;
        Ok(s / (x * x - 1.0).sqrt())
    },
    ..ELEMENTWISE
};
