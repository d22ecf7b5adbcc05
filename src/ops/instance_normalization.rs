//! `InstanceNormalization`, over the spatial axes.

use super::normalise::{Normalisation, adjoint};
use crate::ir::Operator;

pub(super) const OPERATOR: &dyn Operator = &Normalisation {
    name: "InstanceNormalization",
    attributes: &["epsilon"],
    inputs: 3,
    since: 9,
    statistics: 0,
    adjoint: |call, s| {
        let axes: Vec<_> = (2..call.node.rank(0)?).collect();
        let after: Vec<_> = (1..=axes.len()).collect();
        let epsilon = call.node.float("epsilon", 1e-5)?;
        let g = s * call.x(1)?.unsqueeze(&after);
        Ok(adjoint(call.detached(), call.x(0)?, g, &axes, epsilon, true))
    },
};
