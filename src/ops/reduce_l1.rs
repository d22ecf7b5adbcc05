//! `ReduceL1`: Σ |x|.

use super::reduce::Reduction;
use crate::ir::{Kind, Operator, Range};

pub(super) const OPERATOR: &dyn Operator = &Reduction {
    name: "ReduceL1",
    since: 18,
    kind: Kind::Leaf,
    range: Range::NonNegative,
    adjoint: |x, _, s, _| s * x.sign(),
};
