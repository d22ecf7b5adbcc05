//! `Gelu`: x Φ(x).

use std::f64::consts::SQRT_2;

use super::Contrib;
use crate::ir::Expr;

pub(super) const CONTRIB: Contrib = Contrib {
    names: &[("com.microsoft", "Gelu")],
    since: None,
    body: |call| Ok(vec![Some(gelu(call.x(0)?))]),
};

/// ½ x (1 + erf(x/√2))
pub(super) fn gelu(x: Expr) -> Expr {
    x * ((x / SQRT_2).unary("Erf") + 1.0) * 0.5
}
