//! `HardSwish`: x · max(0, min(1, x/6 + ½)), with derivative x/3 + ½ where |x| < 3.

use super::elementwise::{ELEMENTWISE, Elementwise};
use crate::ir::Operator;

pub(super) const OPERATOR: &dyn Operator = &Elementwise {
    name: "HardSwish",
    since: 14,
    adjoint: |call, s| {
        let x = call.x(0)?;
        let step = x.greater(0.0).cast(x.ty().elem);
        Ok(s * step.where_(x.abs().greater(3.0), x / 3.0 + 0.5))
    },
    ..ELEMENTWISE
};
