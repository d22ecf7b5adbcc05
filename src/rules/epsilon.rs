//! `epsilon` — LRP-ε (Bach et al. 2015, eq. 58; Montavon et al. 2019, eq. 10.2).
//!
//! ```text
//! R_x = x ⊙ Jᵀ (R / (y + ε · sign(y)))      with y = f(x; θ), sign(0) = 1
//! ```
//!
//! at layers with weights. As in zennit, activations and normalisations pass relevance on, average
//! pools and sums share it in proportion (the same formula with 1e-6), max pools give it to the winner,
//! and other functions without weights move it by their gradient. All rules for layers with weights
//! do that elsewhere.
//!
//! Suits the last layers of networks of rectifiers, in a composite. In all layers it is gradient × input, nearly, and noise where
//! results vanish.

use super::{Opt, Ratio, Rule, RuleOptions, Treatment, at_weights};
use crate::ir::Kind;

pub(super) const RULE: &dyn Rule = &Epsilon;

struct Epsilon;

impl Rule for Epsilon {
    fn name(&self) -> &'static str {
        "epsilon"
    }

    fn options(&self) -> &'static [Opt] {
        const { &[Opt::number("epsilon", 1e-6, "what is added to a denominator, with its sign")] }
    }

    fn treatment(&self, kind: Kind, options: &RuleOptions<'_>) -> Treatment {
        at_weights(kind, || Ratio::plain(options.number("epsilon")))
    }
}
