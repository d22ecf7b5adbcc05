//! `ReduceL2`: √Σ x², with derivative x/y, which is taken as 0 at 0.

use super::reduce::Reduction;
use crate::ir::{Kind, Operator, Sign};

pub(super) const OPERATOR: &dyn Operator = &Reduction {
    name: "ReduceL2",
    since: 18,
    kind: Kind::Leaf,
    sign: Sign::NonNegative,
    eval: Some(|list| list.iter().map(|v| v * v).sum::<f64>().sqrt()),
    adjoint: |x, _, s, y| (s / y).where_or(y.greater(0.0), 0.0) * x,
};
