//! `Softsign`: x / (1 + |x|), with derivative 1 / (1 + |x|)².

use super::elementwise::{ELEMENTWISE, Elementwise};
use crate::ir::Operator;

pub(super) const OPERATOR: &dyn Operator = &Elementwise {
    name: "Softsign",
    bounded: true,
    eval: Some(|v| v / (1.0 + v.abs())),
    adjoint: |call, s| {
        let scale = call.x(0)?.abs() + 1.0;
        Ok(s / (scale * scale))
    },
    ..ELEMENTWISE
};
