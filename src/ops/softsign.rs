//! `Softsign`: x / (1 + |x|), with derivative 1 / (1 + |x|)².

use super::elementwise::Elementwise;
use crate::ir::{Operator, Range};

pub(super) const OPERATOR: &dyn Operator = &Elementwise {
    name: "Softsign",
    since: 9,
    range: Range::Any,
    bounded: true,
    degree: None,
    adjoint: |call, s| {
        let scale = call.x(0)?.abs() + 1.0;
        Ok(s / (scale * scale))
    },
};
