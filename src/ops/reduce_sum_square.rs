//! `ReduceSumSquare`: Σ x².

use super::reduce::Reduction;
use crate::ir::{Kind, Operator, Sign};

pub(super) const OPERATOR: &dyn Operator = &Reduction {
    name: "ReduceSumSquare",
    since: 18,
    kind: Kind::Leaf,
    sign: Sign::NonNegative,
    eval: Some(|list| list.iter().map(|v| v * v).sum()),
    adjoint: |x, _, s, _| s * x * 2.0,
};
