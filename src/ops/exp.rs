//! `Exp`: eˣ, its own derivative.

use super::elementwise::Elementwise;
use crate::ir::{Operator, Sign};

pub(super) const OPERATOR: &dyn Operator = &Elementwise {
    name: "Exp",
    since: 9,
    sign: Sign::NonNegative,
    bounded: true,
    euler: None,
    adjoint: |call, s| Ok(s * call.y()),
};
