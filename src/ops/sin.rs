//! `Sin`, with derivative cos x.

use super::elementwise::{ELEMENTWISE, Elementwise};
use crate::ir::Operator;

pub(super) const OPERATOR: &dyn Operator = &Elementwise {
    name: "Sin",
    bounded: true,
    eval: Some(f64::sin),
    adjoint: |call, s| Ok(s * call.x(0)?.unary("Cos")),
    ..ELEMENTWISE
};
