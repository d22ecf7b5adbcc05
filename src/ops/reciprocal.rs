//! `Reciprocal`: 1/x, with derivative −1/x².

use super::elementwise::{ELEMENTWISE, Elementwise};
use crate::ir::Operator;

pub(super) const OPERATOR: &dyn Operator = &Elementwise {
    name: "Reciprocal",
    singular: true,
    euler: Some(-1.0),
    eval: Some(f64::recip),
    adjoint: |call, s| {
        let y = call.y();
        Ok(-(s * y * y))
    },
    ..ELEMENTWISE
};
