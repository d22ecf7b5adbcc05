//! `Sqrt`: √x, with derivative 1 / 2√x.

use super::{Operator, Range, elementwise::Elementwise};

pub(super) const OPERATOR: &dyn Operator = &Elementwise {
    name: "Sqrt",
    range: Range::NonNegative,
    homogeneous: false,
    adjoint: |call, s| {
        Ok(s / (call.y() * 2.0))
    },
};
