//! `Sub`.

use super::arithmetic::Arithmetic;
use crate::ir::{Affine, Kind, Operator, Sign};

pub(super) const OPERATOR: &dyn Operator = &Arithmetic {
    name: "Sub",
    both: Kind::Sum,
    sign: Sign::Any,
    neutral: [None, Some(0)],
    ints: i64::checked_sub,
    floats: |a, b| a - b,
    affine: |c, first| match first {
        true => Affine { scale: None, shift: Some(-c) },
        false => Affine { scale: Some(c.emitter().scalar(c.ty().elem, -1.0)), shift: Some(c) },
    },
    adjoint: |_, wrt, s| Ok(if wrt == 0 { s } else { -s }),
};
