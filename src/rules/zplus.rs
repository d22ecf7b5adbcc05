//! `zplus` — the z⁺ rule of deep Taylor decomposition (Montavon et al. 2017, eq. 11): LRP-α1β0.
//!
//! ```text
//! R_x = share of R by z⁺ = f(x⁺; θ⁺) + f(x⁻; W⁻)
//! ```
//!
//! Biases are cut to their positive part, as in zennit.
//!
//! Suits networks of rectifiers, whose activations are not negative; `abslrp` is the same there, and goes on to count what
//! negative activations contribute at sums, gates and products.

use super::{
    Modifier, Opt, Ratio, Rule, RuleOptions, STABILISER, Treatment, alpha_beta::contributions,
    at_weights,
};
use crate::ir::Kind;

pub(super) const RULE: &dyn Rule = &ZPlus;

struct ZPlus;

impl Rule for ZPlus {
    fn name(&self) -> &'static str {
        "zplus"
    }

    fn options(&self) -> &'static [Opt] {
        const { &[Opt::number("epsilon", STABILISER, "what is added to a denominator, with its sign")] }
    }

    fn treatment(&self, kind: Kind, options: &RuleOptions<'_>) -> Treatment {
        at_weights(kind, || Ratio::of(contributions(Modifier::Positive, options.number("epsilon"))))
    }
}
