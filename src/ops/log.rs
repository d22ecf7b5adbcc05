//! `Log`: ln x, with derivative 1/x.

use super::elementwise::Elementwise;
use crate::ir::{Operator, Sign};

pub(super) const OPERATOR: &dyn Operator = &Elementwise {
    name: "Log",
    since: 9,
    sign: Sign::Any,
    bounded: false,
    euler: None,
    adjoint: |call, s| Ok(s / call.x(0)?),
};
