//! `Sqrt`: √x, with derivative 1 / 2√x, which is taken as 0 where it is infinite.

use super::elementwise::Elementwise;
use crate::ir::{Operator, Sign};

pub(super) const OPERATOR: &dyn Operator = &Elementwise {
    name: "Sqrt",
    since: 9,
    sign: Sign::NonNegative,
    bounded: false,
    euler: Some(0.5),
    adjoint: |call, s| {
        let y = call.y();
        Ok((s / (y * 2.0)).where_or(y.greater(0.0), 0.0))
    },
};
