//! `ReduceMax`. Elements that tie for the largest share evenly.

use super::{Kind, Operator, reduce::Reduction};

pub(super) const OPERATOR: &dyn Operator = &Reduction {
    name: "ReduceMax",
    since: 18,
    kind: Kind::Max,
    adjoint: |x, axes, s, y| {
        let ties = x.equals(y).cast(s.ty().elem);
        s * (ties / ties.sum(axes, true))
    },
};
