//! `epsilon` — LRP-ε (Bach et al. 2015, eq. 58; Montavon et al. 2019, eq. 10.2).
//!
//! ```text
//! R_x = x ⊙ Jᵀ (R / (y + ε · sign(y)))      with y = f(x; θ), sign(0) = 1
//! ```
//!
//! at weighted layers, with `epsilon` (default 1e-6). As in zennit, activations and normalisations
//! pass relevance on, average pools and sums share it in proportion (the same formula with 1e-6),
//! max pools give it to the winner, and other functions without weights move it by their gradient.

use super::{Branch, Ratio, Rule, Stabiliser, Treatment};
use crate::ops::Kind;

pub(super) const RULE: &dyn Rule = &Epsilon;

struct Epsilon;

/// The stabiliser where there are no weights, zennit's default.
const NORM: f64 = 1e-6;

impl Rule for Epsilon {
    fn name(&self) -> &'static str {
        "epsilon"
    }

    fn options(&self) -> &'static [(&'static str, f64, &'static str)] {
        &[("epsilon", 1e-6, "what is added to a denominator, with its sign")]
    }

    fn treatment(&self, kind: Kind, option: &dyn Fn(&str) -> f64) -> Treatment {
        let ratio = |epsilon| Ratio {
            branches: vec![Branch::PLAIN],
            stabiliser: Stabiliser::Signed(epsilon),
            share: 1.0,
            first_only: false,
        };
        match kind {
            Kind::Weighted => Treatment::Ratio(ratio(option("epsilon"))),
            Kind::Sum => Treatment::Ratio(ratio(NORM)),
            Kind::Product => Treatment::Ratio(Ratio { share: 0.5, ..ratio(NORM) }),
            Kind::Quotient => Treatment::Ratio(Ratio { first_only: true, ..ratio(NORM) }),
            Kind::Activation | Kind::Normalisation | Kind::Affine => Treatment::Pass,
            Kind::Max | Kind::Leaf | Kind::Movement | Kind::Embedding | Kind::Stop => {
                Treatment::Adjoint
            },
        }
    }
}
