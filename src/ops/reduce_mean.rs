//! `ReduceMean`.

use super::reduce::Reduction;
use crate::ir::{Kind, Operator, Sign};

pub(super) const OPERATOR: &dyn Operator = &Reduction {
    name: "ReduceMean",
    since: 18,
    kind: Kind::Sum,
    sign: Sign::AsOperands,
    adjoint: |x, axes, s, _| super::reduce::mean(s, x, axes).expand_like(x),
};
