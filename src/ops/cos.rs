//! `Cos`, with derivative −sin x.

use super::elementwise::Elementwise;
use crate::ir::{Operator, Sign};

pub(super) const OPERATOR: &dyn Operator = &Elementwise {
    name: "Cos",
    since: 9,
    sign: Sign::Any,
    bounded: true,
    euler: None,
    adjoint: |call, s| Ok(-(s * call.x(0)?.unary("Sin"))),
};
