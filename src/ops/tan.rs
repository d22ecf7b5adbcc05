//! `Tan`, with derivative 1 + y².

use super::elementwise::Elementwise;
use crate::ir::{Operator, Range};

pub(super) const OPERATOR: &dyn Operator = &Elementwise {
    name: "Tan",
    since: 9,
    range: Range::Any,
    bounded: false,
    degree: None,
    adjoint: |call, s| {
        let y = call.y();
        Ok(s + s * y * y)
    },
};
