//! `ReduceLogSumExp`: ln Σ eˣ, with derivative eˣ⁻ʸ.

use super::{Kind, Operator, Range, reduce::Reduction};

pub(super) const OPERATOR: &dyn Operator = &Reduction {
    name: "ReduceLogSumExp",
    since: 18,
    kind: Kind::Leaf,
    range: Range::Any,
    adjoint: |x, _, s, y| s * (x - y).exp(),
};
