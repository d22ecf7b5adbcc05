//! `Asin`, with derivative 1 / √(1 − x²).

use super::elementwise::{ELEMENTWISE, Elementwise};
use crate::ir::Operator;

pub(super) const OPERATOR: &dyn Operator = &Elementwise {
    name: "Asin",
    singular: true,
    adjoint: |call, s| {
        let x = call.x(0)?;
        Ok(s / (1.0 - x * x).sqrt())
    },
    ..ELEMENTWISE
};
