//! `SkipLayerNormalization`: a sum over a residual connection, and its layer normalisation; the simplified
//! one has neither mean nor shift.

use super::{Contrib, simplified_layer_normalization::normalised};

pub(super) const CONTRIB: Contrib = Contrib {
    names: &[
        ("com.microsoft", "SkipLayerNormalization"),
        ("com.microsoft", "SkipSimplifiedLayerNormalization"),
    ],
    since: None,
    body: |call| {
        let simplified = call.name == "SkipSimplifiedLayerNormalization";
        let (shift, bias) = if simplified { (None, 3) } else { (call.get(3), 4) };
        let sum = call.x(0)? + call.x(1)?;
        let sum = call.get(bias).map_or(sum, |bias| sum + bias);
        let last = sum.rank()?.saturating_sub(1);
        let epsilon = call.float("epsilon")?.unwrap_or(1e-12);
        let y = normalised(sum, &[last], epsilon, !simplified) * call.x(2)?;
        let y = shift.map_or(y, |shift| y + shift);
        // Statistics that nobody asks for at inference stand between.
        Ok(vec![Some(y), None, None, Some(sum)])
    },
};
