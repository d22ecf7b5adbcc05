//! `Gelu`: x Φ(x), with derivative Φ(x) + x φ(x), or its approximation by tanh (Hendrycks and Gimpel
//! 2016).

use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI};

use super::elementwise::{ELEMENTWISE, Elementwise};
use crate::ir::{Error, NodeRef, Operator};

pub(super) const OPERATOR: &dyn Operator = &Elementwise {
    name: "Gelu",
    attributes: &["approximate"],
    since: 20,
    check: |node| is_approximate(node).map(drop),
    adjoint: |call, s| {
        let x = call.x(0)?;
        // √(2/π), and φ(0) = ½ √(2/π)
        let scale = FRAC_2_SQRT_PI * FRAC_1_SQRT_2;
        if is_approximate(call.node)? {
            let squared = x * x;
            let t = (x * (squared * 0.044_715 + 1.0) * scale).unary("Tanh");
            let inner = (squared * (3.0 * 0.044_715) + 1.0) * scale;
            return Ok(s * (t + 1.0 + x * (1.0 - t * t) * inner) * 0.5);
        }
        let cumulative = (x * FRAC_1_SQRT_2).unary("Erf") + 1.0;
        Ok(s * (cumulative * 0.5 + x * (x * x * -0.5).exp() * (0.5 * scale)))
    },
    ..ELEMENTWISE
};

fn is_approximate(node: NodeRef) -> Result<bool, Error> {
    Ok(node.one_of("approximate", &["none", "tanh"])? == "tanh")
}
