//! `Mul`.

use super::arithmetic::Arithmetic;
use crate::ir::{Affine, Kind, Operator, Sign};

pub(super) const OPERATOR: &dyn Operator = &Arithmetic {
    name: "Mul",
    both: Kind::Product,
    sign: Sign::AsOperands,
    neutral: [Some(1), Some(1)],
    ints: i64::checked_mul,
    floats: |a, b| a * b,
    affine: |c, _| Affine { scale: Some(c), shift: None },
    adjoint: |call, wrt, s| Ok(s * call.x(1 - wrt)?),
};
