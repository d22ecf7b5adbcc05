//! `ReduceLogSum`: ln Σ x, with derivative 1 / Σ x.

use super::elementwise::guarded;
use super::reduce::Reduction;
use crate::ir::{Kind, Operator, Sign};

pub(super) const OPERATOR: &dyn Operator = &Reduction {
    name: "ReduceLogSum",
    since: 18,
    kind: Kind::Leaf,
    sign: Sign::Any,
    eval: None,
    adjoint: |x, _, s, y| guarded(s / y.exp(), s).expand_like(x),
};
