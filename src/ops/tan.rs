//! `Tan`, with derivative 1 + y².

use super::elementwise::{ELEMENTWISE, Elementwise};
use crate::ir::Operator;

pub(super) const OPERATOR: &dyn Operator = &Elementwise {
    name: "Tan",
    singular: true,
    eval: Some(f64::tan),
    adjoint: |call, s| {
        let y = call.y();
        Ok(s + s * y * y)
    },
    ..ELEMENTWISE
};
