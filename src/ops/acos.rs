//! `Acos`, with derivative −1 / √(1 − x²).

use super::elementwise::Elementwise;
use crate::ir::{Operator, Range};

pub(super) const OPERATOR: &dyn Operator = &Elementwise {
    name: "Acos",
    since: 9,
    range: Range::NonNegative,
    bounded: false,
    degree: None,
    adjoint: |call, s| {
        let x = call.x(0)?;
        Ok(-(s / (1.0 - x * x).sqrt()))
    },
};
