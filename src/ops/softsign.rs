//! `Softsign`: x / (1 + |x|), with derivative 1 / (1 + |x|)².

use super::elementwise::Elementwise;
use crate::ir::{Operator, Sign};

pub(super) const OPERATOR: &dyn Operator = &Elementwise {
    name: "Softsign",
    since: 9,
    sign: Sign::Any,
    bounded: true,
    euler: None,
    adjoint: |call, s| {
        let scale = call.x(0)?.abs() + 1.0;
        Ok(s / (scale * scale))
    },
};
