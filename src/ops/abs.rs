//! `Abs`: |x|, with derivative sign(x).

use super::elementwise::Elementwise;
use crate::ir::{Operator, Range};

pub(super) const OPERATOR: &dyn Operator = &Elementwise {
    name: "Abs",
    since: 9,
    range: Range::NonNegative,
    bounded: false,
    degree: Some(1.0),
    adjoint: |call, s| Ok(s * call.x(0)?.sign()),
};
