//! `wsquare` — the w² rule for inputs without bounds, at the first layer (Montavon et al. 2017, eq. 12).
//!
//! ```text
//! R_x = Jᵀ s      of f(1; θ²), with s = R / stabilised f(1; θ²)
//! ```
//!
//! Biases are squared as well, as in zennit.
//!
//! Suits the first layer of a network whose inputs have no bounds, in a composite.

use super::{
    Branch, Modifier, Ratio, Rule, RuleOptions, STABILISER, Stabiliser, Term, Treatment, at_weights,
};
use crate::ir::Kind;

pub(super) const RULE: &dyn Rule = &WSquare;

struct WSquare;

impl Rule for WSquare {
    fn name(&self) -> &'static str {
        "wsquare"
    }

    fn treatment(&self, kind: Kind, _options: &RuleOptions<'_>) -> Treatment {
        at_weights(kind, || {
            let branch = Branch::of(Modifier::One, Modifier::Square);
            Ratio::of(Term::of(vec![branch], Stabiliser::Signed(STABILISER)))
        })
    }
}
