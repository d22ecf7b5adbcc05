//! `HardSigmoid`: αx + β cut to 0…1; nothing flows where it is cut.

use super::elementwise::Elementwise;
use crate::ir::{Operator, Sign};

pub(super) const OPERATOR: &dyn Operator = &Elementwise {
    name: "HardSigmoid",
    since: 9,
    sign: Sign::NonNegative,
    bounded: true,
    euler: None,
    adjoint: |call, s| {
        let y = call.y();
        let inside = (y - y * y).greater(0.0);
        Ok((s * call.node.float("alpha", 0.2)?).masked(inside))
    },
};
