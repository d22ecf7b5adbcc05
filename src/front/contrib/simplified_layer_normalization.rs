//! `SimplifiedLayerNormalization`: a layer normalisation without a mean, which ONNX Runtime leaves without
//! a domain.

use super::Contrib;
use crate::ir::{Expr, axis};

pub(super) const CONTRIB: Contrib = Contrib {
    names: &[
        ("", "SimplifiedLayerNormalization"),
        ("com.microsoft", "SimplifiedLayerNormalization"),
    ],
    since: None,
    body: |call| {
        let x = call.x(0)?;
        let rank = x.rank()?;
        let axes: Vec<_> = (axis(call.int("axis", -1)?, rank)?..rank).collect();
        // The type of the statistics, which are computed in x's.
        call.int("stash_type", 1)?;
        let epsilon = call.float("epsilon")?.unwrap_or(1e-5);
        Ok(vec![Some(normalised(x, &axes, epsilon, false) * call.x(1)?)])
    },
};

/// `(x − mean) / √(variance + ε)` over `axes`; without `centred`, `x / √(mean(x²) + ε)`.
pub(super) fn normalised<'e>(x: Expr<'e>, axes: &[usize], epsilon: f64, centred: bool) -> Expr<'e> {
    let centred = if centred { x - x.mean(axes) } else { x };
    centred / ((centred * centred).mean(axes) + epsilon).sqrt()
}
