//! `Sinh`, with derivative √(1 + y²).

use super::elementwise::Elementwise;
use crate::ir::{Operator, Sign};

pub(super) const OPERATOR: &dyn Operator = &Elementwise {
    name: "Sinh",
    since: 9,
    sign: Sign::Any,
    bounded: false,
    euler: None,
    adjoint: |call, s| {
        let y = call.y();
        Ok(s * (y * y + 1.0).sqrt())
    },
};
