//! `Relu`: max(x, 0), with derivative 0 at 0. Its derivative is read off the result, which survives
//! where a runtime fuses the operator with the layer before it.

use super::elementwise::Elementwise;
use crate::ir::{Operator, Range};

pub(super) const OPERATOR: &dyn Operator = &Elementwise {
    name: "Relu",
    since: 9,
    range: Range::NonNegative,
    bounded: false,
    degree: Some(1.0),
    adjoint: |call, s| Ok(s * call.y().sign()),
};
