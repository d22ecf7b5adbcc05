//! `ReduceMean`.

use super::reduce::Reduction;
use crate::ir::{Kind, Operator, Sign};

pub(super) const OPERATOR: &dyn Operator = &Reduction {
    name: "ReduceMean",
    since: 18,
    kind: Kind::Sum,
    sign: Sign::AsOperands,
    eval: Some(|list| list.iter().sum::<f64>() / list.len() as f64),
    adjoint: |x, axes, s, _| super::reduce::mean(s, x, axes).expand_like(x),
};
