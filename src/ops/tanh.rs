//! `Tanh`, with derivative 1 − y².

use super::{Operator, Range, elementwise::Elementwise};

pub(super) const OPERATOR: &dyn Operator = &Elementwise {
    name: "Tanh",
    range: Range::Any,
    homogeneous: false,
    adjoint: |call, s| {
        let y = call.y();
        Ok(s - s * y * y)
    },
};
