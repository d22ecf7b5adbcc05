//! `Sin`, with derivative cos x.

use super::elementwise::Elementwise;
use crate::ir::{Operator, Range};

pub(super) const OPERATOR: &dyn Operator = &Elementwise {
    name: "Sin",
    since: 9,
    range: Range::Any,
    bounded: true,
    degree: None,
    adjoint: |call, s| Ok(s * call.x(0)?.unary("Cos")),
};
