//! `Exp`: eˣ, its own derivative.

use super::elementwise::Elementwise;
use crate::ir::{Operator, Range};

pub(super) const OPERATOR: &dyn Operator = &Elementwise {
    name: "Exp",
    since: 9,
    range: Range::NonNegative,
    bounded: true,
    degree: None,
    adjoint: |call, s| Ok(s * call.y()),
};
