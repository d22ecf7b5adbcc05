//! `Exp`: eˣ, its own derivative.

use super::{Operator, Range, elementwise::Elementwise};

pub(super) const OPERATOR: &dyn Operator = &Elementwise {
    name: "Exp",
    since: 9,
    range: Range::NonNegative,
    bounded: true,
    degree: None,
    adjoint: |call, s| Ok(s * call.y()),
};
