//! `ReduceMax`. Elements that tie for the largest share evenly.

use super::reduce::Reduction;
use crate::ir::{Kind, Operator, Sign};

pub(super) const OPERATOR: &dyn Operator = &Reduction {
    name: "ReduceMax",
    since: 18,
    kind: Kind::Max,
    sign: Sign::AsOperands,
    eval: Some(|list| list.iter().copied().fold(f64::NEG_INFINITY, f64::max)),
    adjoint: |x, axes, s, y| {
        let ties = x.equals(y).cast(s.ty().elem);
        s * (ties / ties.sum(axes, true))
    },
};
