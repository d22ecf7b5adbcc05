//! `Log`: ln x, with derivative 1/x.

use super::elementwise::{ELEMENTWISE, Elementwise};
use crate::ir::Operator;

pub(super) const OPERATOR: &dyn Operator = &Elementwise {
    name: "Log",
    singular: true,
    eval: Some(f64::ln),
    adjoint: |call, s| Ok(s / call.x(0)?),
    ..ELEMENTWISE
};
