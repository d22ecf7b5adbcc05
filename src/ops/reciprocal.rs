//! `Reciprocal`: 1/x, with derivative −1/x².

use super::elementwise::Elementwise;
use crate::ir::{Operator, Sign};

pub(super) const OPERATOR: &dyn Operator = &Elementwise {
    name: "Reciprocal",
    since: 9,
    sign: Sign::Any,
    bounded: false,
    euler: Some(-1.0),
    adjoint: |call, s| {
        let y = call.y();
        Ok(-(s * y * y))
    },
};
