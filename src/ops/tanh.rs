//! `Tanh`, with derivative 1 − y².

use super::elementwise::Elementwise;
use crate::ir::{Operator, Sign};

pub(super) const OPERATOR: &dyn Operator = &Elementwise {
    name: "Tanh",
    since: 9,
    sign: Sign::Any,
    bounded: true,
    euler: None,
    adjoint: |call, s| {
        let y = call.y();
        Ok(s - s * y * y)
    },
};
