//! `Sin`, with derivative cos x.

use super::{Operator, Range, elementwise::Elementwise};

pub(super) const OPERATOR: &dyn Operator = &Elementwise {
    name: "Sin",
    since: 9,
    range: Range::Any,
    bounded: true,
    degree: None,
    adjoint: |call, s| Ok(s * call.x(0)?.unary("Cos")),
};
