//! `RMSNormalization`: x / √(mean(x²) + ε), over the axes from one on.

use super::normalise::{Normalisation, adjoint};
use crate::ir::Operator;

pub(super) const OPERATOR: &dyn Operator = &Normalisation {
    name: "RMSNormalization",
    attributes: &["axis", "epsilon", "stash_type"],
    inputs: 2,
    since: 23,
    statistics: 0,
    adjoint: |call, s| {
        let rank = call.node.rank(0)?;
        let axes: Vec<_> = (call.node.axis("axis", -1, rank)?..rank).collect();
        let epsilon = call.node.float("epsilon", 1e-5)?;
        Ok(adjoint(call.detached(), call.x(0)?, s * call.x(1)?, &axes, epsilon, false))
    },
};
