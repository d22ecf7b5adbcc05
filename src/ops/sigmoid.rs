//! `Sigmoid`: y = 1 / (1 + e⁻ˣ), with derivative y (1 − y).

use super::elementwise::Elementwise;
use crate::ir::{Operator, Range};

pub(super) const OPERATOR: &dyn Operator = &Elementwise {
    name: "Sigmoid",
    since: 9,
    range: Range::NonNegative,
    bounded: true,
    degree: None,
    adjoint: |call, s| {
        let y = call.y();
        Ok(s * (y - y * y))
    },
};
