//! `ReduceLogSumExp`: ln Σ eˣ, with derivative eˣ⁻ʸ.

use super::reduce::Reduction;
use crate::ir::{Kind, Operator, Sign};

pub(super) const OPERATOR: &dyn Operator = &Reduction {
    name: "ReduceLogSumExp",
    since: 18,
    kind: Kind::Leaf,
    sign: Sign::Any,
    eval: None,
    adjoint: |x, _, s, y| s * (x - y).exp(),
};
