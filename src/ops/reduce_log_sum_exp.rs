//! `ReduceLogSumExp`: ln Σ eˣ, with derivative eˣ⁻ʸ.

use super::elementwise::guarded;
use super::reduce::Reduction;
use crate::ir::{Kind, Operator, Sign};

pub(super) const OPERATOR: &dyn Operator = &Reduction {
    name: "ReduceLogSumExp",
    since: 18,
    kind: Kind::Leaf,
    sign: Sign::Any,
    eval: None,
    // Of what is all −∞ the differences are no numbers.
    adjoint: |x, _, s, y| guarded(s * (x - y).exp(), s),
};
