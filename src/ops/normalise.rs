//! What normalisations by statistics have in common.

use super::{Error, Kind, reduce};
use crate::graph::{Expr, View};

/// The adjoint of `n = (x − mean) / √(variance + ε)` over `axes`; without `centred`, of
/// `n = x / √(mean(x²) + ε)`.
pub fn adjoint<'e>(
    x: Expr<'e>,
    g: Expr<'e>,
    axes: &[usize],
    epsilon: f64,
    centred: bool,
) -> Expr<'e> {
    let mean = |v: Expr<'e>| reduce::mean(v.sum(axes, true), v, axes);
    let centre = |v: Expr<'e>| if centred { v - mean(v) } else { v };
    let d = centre(x);
    let deviation = (mean(d * d) + epsilon).sqrt();
    let n = d / deviation;
    (centre(g) - n * mean(g * n)) / deviation
}

/// The kind of a normalisation whose operands behind the first have to be constants.
pub fn kind(node: View) -> Result<Kind, Error> {
    if (1..node.inputs().len()).any(|operand| node.is_active(operand)) {
        let what = format!("{} with a computed scale or bias", node.op_type());
        return Err(Error::Unsupported { what });
    }
    Ok(Kind::Normalisation)
}
