//! `ReduceSum`.

use super::{Kind, Operator, Range, reduce::Reduction};

pub(super) const OPERATOR: &dyn Operator = &Reduction {
    name: "ReduceSum",
    since: 13,
    kind: Kind::Sum,
    range: Range::AsOperands,
    adjoint: |x, _, s, _| s.expand_like(x),
};
