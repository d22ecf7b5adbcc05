//! `SkipLayerNormalization`: a sum over a residual connection, and its layer normalisation; the simplified
//! one has neither mean nor shift.

use super::{Contrib, simplified_layer_normalization::normalised};
use crate::ir::{Error, Expr};

pub(super) const CONTRIB: Contrib = Contrib {
    names: &[
        ("com.microsoft", "SkipLayerNormalization"),
        ("com.microsoft", "SkipSimplifiedLayerNormalization"),
    ],
    since: None,
    body: |call| {
        let simplified = call.name == "SkipSimplifiedLayerNormalization";
        let (shift, bias) = if simplified { (None, 3) } else { (call.get(3), 4) };
        let [mut x, mut skip] = [call.x(0)?, call.x(1)?];
        if let Some(bias) = call.get(bias) {
            // It is that of the layer before, whichever side that is on.
            let layer = if is_product(x) && !is_product(skip) { &mut x } else { &mut skip };
            *layer = *layer + bias;
        }
        let sum = x + skip;
        let rank = sum.rank()?;
        if x.rank()? != rank {
            // The result has the shape of the first operand, for which runtimes take any.
            return Err(Error::Shapes { what: "a skip connection of more axes".into() });
        }
        let last = rank.saturating_sub(1);
        let epsilon = call.float("epsilon")?.unwrap_or(1e-12);
        let y = normalised(sum, &[last], epsilon, !simplified) * call.x(2)?;
        let y = shift.map_or(y, |shift| y + shift);
        // Statistics that nobody asks for at inference stand between.
        Ok(vec![Some(y), None, None, Some(sum)])
    },
};

/// Whether a value is what a layer without a bias gives.
fn is_product(x: Expr<'_>) -> bool {
    x.asked(|graph, value| graph.node(value.node).op_type() == "MatMul")
}
