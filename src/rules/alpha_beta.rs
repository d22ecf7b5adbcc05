//! `alpha-beta` — LRP-αβ (Bach et al. 2015, eq. 60), with α − β = 1.
//!
//! ```text
//! z⁺ = f(x⁺; θ⁺) + f(x⁻; W⁻)       z⁻ = f(x⁺; θ⁻) + f(x⁻; W⁺)
//! R_x = α · share of R by z⁺ − β · share of R by z⁻
//! ```
//!
//! Biases are cut to their positive part in z⁺ and to their negative part in z⁻, as in zennit.
//!
//! Suits convolutional networks of rectifiers, where what speaks against a class is to be seen as well: negative relevance.

use super::{
    Branch, Modifier, Opt, Ratio, Rule, RuleOptions, STABILISER, Stabiliser, Term, Treatment,
    at_weights,
};
use crate::ir::Kind;

pub(super) const RULE: &dyn Rule = &AlphaBeta;

struct AlphaBeta;

impl Rule for AlphaBeta {
    fn name(&self) -> &'static str {
        "alpha-beta"
    }

    fn options(&self) -> &'static [Opt] {
        const {
            &[
                Opt::number("alpha", 2.0, "how much positive contributions count"),
                Opt::number("beta", 1.0, "how much negative contributions count"),
                Opt::number("epsilon", STABILISER, "what is added to a denominator, with its sign"),
            ]
        }
    }

    fn objection(&self, options: &RuleOptions<'_>) -> Option<String> {
        let (alpha, beta) = (options.number("alpha"), options.number("beta"));
        let differs = (alpha - beta - 1.0).abs() > 1e-9;
        differs.then(|| format!("alpha − beta has to be 1, and is {}", alpha - beta))
    }

    fn treatment(&self, kind: Kind, options: &RuleOptions<'_>) -> Treatment {
        let epsilon = options.number("epsilon");
        let (alpha, beta) = (options.number("alpha"), options.number("beta"));
        at_weights(kind, || {
            let positive = Term { factor: alpha, ..contributions(Modifier::Positive, epsilon) };
            let negative = Term { factor: -beta, ..contributions(Modifier::Negative, epsilon) };
            let mut terms = vec![positive, negative];
            terms.retain(|term| term.factor != 0.0);
            Ratio { terms, ..Ratio::plain(0.0) }
        })
    }
}

/// All products of a weight and an input that have this sign.
pub(super) fn contributions(sign: Modifier, epsilon: f64) -> Term {
    let other = if sign == Modifier::Positive { Modifier::Negative } else { Modifier::Positive };
    let branches = vec![
        Branch::of(Modifier::Positive, sign),
        Branch::of(Modifier::Negative, other).without_bias(),
    ];
    Term::of(branches, Stabiliser::Signed(epsilon))
}
