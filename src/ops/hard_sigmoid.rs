//! `HardSigmoid`: αx + β cut to 0…1; nothing flows where it is cut.

use super::elementwise::{ELEMENTWISE, Elementwise};
use crate::ir::{Operator, Sign};

pub(super) const OPERATOR: &dyn Operator = &Elementwise {
    name: "HardSigmoid",
    attributes: &["alpha", "beta"],
    sign: Sign::NonNegative,
    bounded: true,
    gate: true,
    adjoint: |call, s| {
        let y = call.y();
        let inside = (y - y * y).greater(0.0);
        Ok((s * call.node.float("alpha", 0.2)?).masked(inside))
    },
    ..ELEMENTWISE
};
