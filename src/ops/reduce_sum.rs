//! `ReduceSum`.

use super::{Kind, Operator, reduce::Reduction};

pub(super) const OPERATOR: &dyn Operator = &Reduction {
    name: "ReduceSum",
    since: 13,
    kind: Kind::Sum,
    adjoint: |x, _axes, s, _y| s.expand_like(x),
};
