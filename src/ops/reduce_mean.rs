//! `ReduceMean`.

use super::{Kind, Operator, reduce::{Reduction, mean}};

pub(super) const OPERATOR: &dyn Operator = &Reduction {
    name: "ReduceMean",
    since: 18,
    kind: Kind::Sum,
    adjoint: |x, axes, s, _y| mean(s, x, axes).expand_like(x),
};
