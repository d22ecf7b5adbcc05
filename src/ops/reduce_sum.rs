//! `ReduceSum`.

use super::reduce::Reduction;
use crate::ir::{Kind, Operator, Sign};

pub(super) const OPERATOR: &dyn Operator = &Reduction {
    name: "ReduceSum",
    since: 13,
    kind: Kind::Sum,
    sign: Sign::AsOperands,
    eval: Some(|list| list.iter().sum()),
    adjoint: |x, _, s, _| s.expand_like(x),
};
