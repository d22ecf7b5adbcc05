//! `Log`: ln x, with derivative 1/x.

use super::elementwise::Elementwise;
use crate::ir::{Operator, Range};

pub(super) const OPERATOR: &dyn Operator = &Elementwise {
    name: "Log",
    since: 9,
    range: Range::Any,
    bounded: false,
    degree: None,
    adjoint: |call, s| Ok(s / call.x(0)?),
};
