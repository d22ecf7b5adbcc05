//! `GroupNormalization`: statistics over groups of channels; its scales are per group before opset 21,
//! per channel since.

use super::normalise::{Normalisation, adjoint};
use crate::ir::{Expr, Operator};

pub(super) const OPERATOR: &dyn Operator = &Normalisation {
    name: "GroupNormalization",
    attributes: &["epsilon", "num_groups", "stash_type"],
    inputs: 3,
    since: 18,
    statistics: 0,
    adjoint: |call, s| {
        let (x, groups) = (call.x(0)?, call.node.int("num_groups", 1)?);
        let epsilon = call.node.float("epsilon", 1e-5)?;
        let rank = call.node.rank(0)?;
        let scale = call.x(1)?;
        let g = if call.node.opset() < 21 {
            grouped(s, groups) * scale.unsqueeze(&[1])
        } else {
            let after: Vec<_> = (1..rank.saturating_sub(1)).collect();
            grouped(s * scale.unsqueeze(&after), groups)
        };
        let gradient = adjoint(call.detached(), grouped(x, groups), g, &[2], epsilon, true);
        Ok(gradient.reshape_like(x))
    },
};

/// The channels of each group, with all that is in them, along one axis.
fn grouped(v: Expr<'_>, groups: i64) -> Expr<'_> {
    v.reshape(&[0, groups, -1])
}
