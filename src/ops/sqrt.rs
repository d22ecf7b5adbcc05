//! `Sqrt`: √x, with derivative 1 / 2√x, which is taken as 0 where it is infinite.

use super::elementwise::{ELEMENTWISE, Elementwise};
use crate::ir::{Operator, Sign};

pub(super) const OPERATOR: &dyn Operator = &Elementwise {
    name: "Sqrt",
    singular: true,
    sign: Sign::NonNegative,
    euler: Some(0.5),
    eval: Some(f64::sqrt),
    adjoint: |call, s| {
        let y = call.y();
        Ok((s / (y * 2.0)).where_or(y.greater(0.0), 0.0))
    },
    ..ELEMENTWISE
};
