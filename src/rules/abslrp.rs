//! `abslrp` — layer-wise relevance propagation by absolute magnitude, the default.
//!
//! For a unit `y = f(x; θ)` with relevance `R` at `y` and ε = 1e-9:
//!
//! ```text
//! y′  = f(x; θ) + f(x; |θ|)   with weights (the twin sees the same x)
//! y′  = f(x)                  without
//! s   = R · sign(y′) / (y′ + ε)
//! R_x = x ⊙ (∂y′/∂x)ᵀ s
//! ```
//!
//! What scales or shifts by constants, and what normalises, passes relevance on unchanged; what
//! moves data moves relevance; a product gives each operand half.
//!
//! Where `y′` can be negative or vanish the rule is ill-conditioned: it divides by `y′`.

use super::{Branch, Modifier, Ratio, Rule, Stabiliser, Treatment};
use crate::ops::Kind;

pub(super) const RULE: &dyn Rule = &AbsLrp;

struct AbsLrp;

const EPSILON: f64 = 1e-9;

impl Rule for AbsLrp {
    fn name(&self) -> &'static str {
        "abslrp"
    }

    fn options(&self) -> &'static [(&'static str, f64, &'static str)] {
        &[]
    }

    fn treatment(&self, kind: Kind, _option: &dyn Fn(&str) -> f64) -> Treatment {
        let leaf = Ratio {
            branches: vec![Branch::PLAIN],
            stabiliser: Stabiliser::SignOver(EPSILON),
            share: 1.0,
            first_only: false,
        };
        let twin = Branch::of(Modifier::IDENTITY, Modifier::ABSOLUTE);
        match kind {
            Kind::Weighted => {
                Treatment::Ratio(Ratio { branches: vec![Branch::PLAIN, twin], ..leaf })
            }
            Kind::Activation | Kind::Sum | Kind::Max | Kind::Leaf => Treatment::Ratio(leaf),
            Kind::Product => Treatment::Ratio(Ratio { share: 0.5, ..leaf }),
            Kind::Quotient => Treatment::Ratio(Ratio { first_only: true, ..leaf }),
            Kind::Normalisation | Kind::Affine => Treatment::Pass,
            Kind::Movement | Kind::Embedding | Kind::Stop => Treatment::Adjoint,
        }
    }
}
