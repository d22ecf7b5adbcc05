//! `Add`.

use super::arithmetic::Arithmetic;
use crate::ir::{Affine, Kind, Operator, Sign};

pub(super) const OPERATOR: &dyn Operator = &Arithmetic {
    name: "Add",
    both: Kind::Sum,
    sign: Sign::AsOperands,
    neutral: [Some(0), Some(0)],
    ints: i64::checked_add,
    floats: |a, b| a + b,
    affine: |c, _| Affine { scale: None, shift: Some(c) },
    adjoint: |_, _, s| Ok(s),
};
