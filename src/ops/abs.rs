//! `Abs`: |x|.

use super::{Operator, Range, elementwise::Elementwise};

pub(super) const OPERATOR: &dyn Operator = &Elementwise {
    name: "Abs",
    range: Range::NonNegative,
    homogeneous: true,
    adjoint: |call, s| {
        Ok(s * call.x(0)?.sign())
    },
};
