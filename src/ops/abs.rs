//! `Abs`: |x|, with derivative sign(x).

use super::elementwise::Elementwise;
use crate::ir::{Operator, Sign};

pub(super) const OPERATOR: &dyn Operator = &Elementwise {
    name: "Abs",
    since: 9,
    sign: Sign::NonNegative,
    bounded: false,
    euler: Some(1.0),
    adjoint: |call, s| Ok(s * call.x(0)?.sign()),
};
