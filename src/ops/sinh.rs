//! `Sinh`, with derivative √(1 + y²).

use super::elementwise::Elementwise;
use crate::ir::{Operator, Range};

pub(super) const OPERATOR: &dyn Operator = &Elementwise {
    name: "Sinh",
    since: 9,
    range: Range::Any,
    bounded: false,
    degree: None,
    adjoint: |call, s| {
        let y = call.y();
        Ok(s * (y * y + 1.0).sqrt())
    },
};
