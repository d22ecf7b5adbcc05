//! `ReduceSumSquare`: Σ x².

use super::{Kind, Operator, Range, reduce::Reduction};

pub(super) const OPERATOR: &dyn Operator = &Reduction {
    name: "ReduceSumSquare",
    since: 18,
    kind: Kind::Leaf,
    range: Range::NonNegative,
    adjoint: |x, _, s, _| s * x * 2.0,
};
