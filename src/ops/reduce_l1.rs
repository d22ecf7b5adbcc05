//! `ReduceL1`: Σ |x|.

use super::reduce::Reduction;
use crate::ir::{Kind, Operator, Sign};

pub(super) const OPERATOR: &dyn Operator = &Reduction {
    name: "ReduceL1",
    since: 18,
    kind: Kind::Leaf,
    sign: Sign::NonNegative,
    eval: Some(|list| list.iter().map(|v| v.abs()).sum()),
    adjoint: |x, _, s, _| s * x.sign(),
};
