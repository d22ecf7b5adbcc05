//! `Acosh`, with derivative 1 / √(x² − 1).

use super::elementwise::Elementwise;
use crate::ir::{Operator, Range};

pub(super) const OPERATOR: &dyn Operator = &Elementwise {
    name: "Acosh",
    since: 9,
    range: Range::NonNegative,
    bounded: false,
    degree: None,
    adjoint: |call, s| {
        let x = call.x(0)?;
        Ok(s / (x * x - 1.0).sqrt())
    },
};
