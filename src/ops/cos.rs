//! `Cos`, with derivative −sin x.

use super::elementwise::{ELEMENTWISE, Elementwise};
use crate::ir::Operator;

pub(super) const OPERATOR: &dyn Operator = &Elementwise {
    name: "Cos",
    bounded: true,
    eval: Some(f64::cos),
    adjoint: |call, s| Ok(-(s * call.x(0)?.unary("Sin"))),
    ..ELEMENTWISE
};
