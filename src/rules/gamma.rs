//! `gamma` — LRP-γ (Montavon et al. 2019, eq. 10.3), generalised to inputs of any sign as in zennit.
//!
//! ```text
//! R_x = x ⊙ Jᵀ (R / (z + ε · sign(z)))      with z = f(x; θ + γ θ⁺)
//! ```
//!
//! where inputs are not negative. In general, with θ↑ = θ + γ max(θ, 0) and θ↓ = θ + γ min(θ, 0), relevance is
//! shared by `f(x⁺; θ↑) + f(x⁻; θ↓)` where the layer's result is positive, and by `f(x⁺; θ↓) + f(x⁻; θ↑)` where it
//! is negative; biases go with x⁺.
//!
//! Suits convolutional networks, and transformers whose map `verify` finds well-conditioned.

use super::{
    Branch, Gate, Modifier, Opt, Ratio, Rule, RuleOptions, STABILISER, Stabiliser, Term, Treatment,
    at_weights,
};
use crate::ir::Kind;

pub(super) const RULE: &dyn Rule = &Gamma;

struct Gamma;

impl Rule for Gamma {
    fn name(&self) -> &'static str {
        "gamma"
    }

    fn options(&self) -> &'static [Opt] {
        const {
            &[
                Opt::number("gamma", 0.25, "how much positive weights count more"),
                Opt::number("epsilon", STABILISER, "what is added to a denominator, with its sign"),
            ]
        }
    }

    fn treatment(&self, kind: Kind, options: &RuleOptions<'_>) -> Treatment {
        let gamma = options.number("gamma");
        let (up, down) = (Modifier::MorePositive(gamma), Modifier::MoreNegative(gamma));
        let term = |at_positive, at_negative, gate| {
            let branches = vec![
                Branch::of(Modifier::Positive, at_positive),
                Branch::of(Modifier::Negative, at_negative).without_bias(),
            ];
            Term { gate, ..Term::of(branches, Stabiliser::Signed(options.number("epsilon"))) }
        };
        at_weights(kind, || {
            let terms = vec![
                term(up.clone(), down.clone(), Gate::Positive),
                term(down, up, Gate::Negative),
            ];
            Ratio { terms, ..Ratio::plain(0.0) }
        })
    }
}
