//! `MeanVarianceNormalization`: (x − mean) / √variance over axes.

use super::normalise::{Normalisation, adjoint};
use crate::ir::{Operator, axis};

pub(super) const OPERATOR: &dyn Operator = &Normalisation {
    name: "MeanVarianceNormalization",
    attributes: &["axes"],
    inputs: 1,
    since: 9,
    statistics: 0,
    adjoint: |call, s| {
        let rank = call.node.rank(0)?;
        let axes = call.node.ints("axes")?.unwrap_or(&[0, 2, 3]);
        let mut axes = axes.iter().map(|&a| axis(a, rank)).collect::<Result<Vec<_>, _>>()?;
        axes.sort_unstable();
        Ok(adjoint(call.detached(), call.x(0)?, s, &axes, 1e-18, true))
    },
};
