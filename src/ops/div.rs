//! `Div`, whose results are cut towards zero where they are integers.

use super::arithmetic::Arithmetic;
use crate::ir::{Affine, Kind, Operator, Sign};

pub(super) const OPERATOR: &dyn Operator = &Arithmetic {
    name: "Div",
    both: Kind::Quotient,
    sign: Sign::AsOperands,
    neutral: [None, Some(1)],
    ints: i64::checked_div,
    floats: |a, b| a / b,
    affine: |c, _| Affine { scale: Some(1.0 / c), shift: None },
    adjoint: |call, wrt, s| {
        let quotient = s / call.x(1)?;
        Ok(if wrt == 0 { quotient } else { -(quotient * call.y()) })
    },
};
