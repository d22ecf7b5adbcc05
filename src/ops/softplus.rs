//! `Softplus`: ln(1 + eˣ), with derivative σ(x).

use super::elementwise::Elementwise;
use crate::ir::{Operator, Range};

pub(super) const OPERATOR: &dyn Operator = &Elementwise {
    name: "Softplus",
    since: 9,
    range: Range::NonNegative,
    bounded: true,
    degree: None,
    adjoint: |call, s| Ok(s * call.x(0)?.sigmoid()),
};
