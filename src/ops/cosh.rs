//! `Cosh`, with derivative sinh x.

use super::elementwise::Elementwise;
use crate::ir::{Operator, Range};

pub(super) const OPERATOR: &dyn Operator = &Elementwise {
    name: "Cosh",
    since: 9,
    range: Range::NonNegative,
    bounded: false,
    degree: None,
    adjoint: |call, s| Ok(s * call.x(0)?.unary("Sinh")),
};
