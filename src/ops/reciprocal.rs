//! `Reciprocal`: 1/x, with derivative −1/x².

use super::elementwise::Elementwise;
use crate::ir::{Operator, Range};

pub(super) const OPERATOR: &dyn Operator = &Elementwise {
    name: "Reciprocal",
    since: 9,
    range: Range::Any,
    bounded: false,
    degree: Some(-1.0),
    adjoint: |call, s| {
        let y = call.y();
        Ok(-(s * y * y))
    },
};
