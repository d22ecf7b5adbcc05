//! `Asinh`, with derivative 1 / √(1 + x²).

use super::elementwise::Elementwise;
use crate::ir::{Operator, Sign};

pub(super) const OPERATOR: &dyn Operator = &Elementwise {
    name: "Asinh",
    since: 9,
    sign: Sign::Any,
    bounded: false,
    euler: None,
    adjoint: |call, s| {
        let x = call.x(0)?;
        Ok(s / (x * x + 1.0).sqrt())
    },
};
