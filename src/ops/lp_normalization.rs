//! `LpNormalization`: x / ‖x‖ along an axis.

use super::normalise::Normalisation;
use crate::ir::{Detached, Operator};

pub(super) const OPERATOR: &dyn Operator = &Normalisation {
    name: "LpNormalization",
    attributes: &["axis", "p"],
    inputs: 1,
    since: 9,
    statistics: 0,
    adjoint: |call, s| {
        let (x, y) = (call.x(0)?, call.y());
        let axes = [call.node.axis("axis", -1, call.node.rank(0)?)?];
        let (size, slope) = match call.node.int("p", 2)? {
            1 => (x.abs().sum(&axes, true), x.sign()),
            _ => ((x * x).sum(&axes, true).sqrt(), y),
        };
        let g = match call.detached() {
            Detached::Nothing => s - slope * (s * y).sum(&axes, true),
            _ => s,
        };
        Ok((g / size).where_or(size.greater(0.0), 0.0))
    },
};
