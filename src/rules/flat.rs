//! `flat` — relevance shared evenly among all inputs of each output, at the first layer (Lapuschkin et
//! al. 2019).
//!
//! ```text
//! R_x = Jᵀ s      of f(1; W = 1, b = 0), with s = R / stabilised f(1; 1, 0)
//! ```
//!
//! Suits the first layer, in a composite, where the map is to show regions and not how bright or dark they are.

use super::{
    Branch, Modifier, Ratio, Rule, RuleOptions, STABILISER, Stabiliser, Term, Treatment, at_weights,
};
use crate::ir::Kind;

pub(super) const RULE: &dyn Rule = &Flat;

struct Flat;

impl Rule for Flat {
    fn name(&self) -> &'static str {
        "flat"
    }

    fn treatment(&self, kind: Kind, _options: &RuleOptions<'_>) -> Treatment {
        at_weights(kind, || {
            let branch = Branch::of(Modifier::One, Modifier::One).without_bias();
            Ratio::of(Term::of(vec![branch], Stabiliser::Signed(STABILISER)))
        })
    }
}
