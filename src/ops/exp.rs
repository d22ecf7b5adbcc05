//! `Exp`: eˣ.

use super::{Operator, Range, elementwise::Elementwise};

pub(super) const OPERATOR: &dyn Operator = &Elementwise {
    name: "Exp",
    range: Range::NonNegative,
    homogeneous: false,
    adjoint: |call, s| {
        Ok(s * call.y())
    },
};
