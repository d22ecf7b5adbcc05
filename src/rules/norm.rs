//! `norm` — relevance shared in proportion, with a stabiliser only: `epsilon` wherever a unit shares at all, sums
//! and pools included.
//!
//! ```text
//! R_x = x ⊙ Jᵀ (R / (y + ε · sign(y)))
//! ```
//!
//! Suits sums and pools, in a composite.

use super::{Opt, Ratio, Rule, RuleOptions, STABILISER, Treatment, unweighted};
use crate::ir::Kind;

pub(super) const RULE: &dyn Rule = &Norm;

struct Norm;

impl Rule for Norm {
    fn name(&self) -> &'static str {
        "norm"
    }

    fn options(&self) -> &'static [Opt] {
        const { &[Opt::number("epsilon", STABILISER, "what is added to a denominator, with its sign")] }
    }

    fn treatment(&self, kind: Kind, options: &RuleOptions<'_>) -> Treatment {
        match kind {
            Kind::Weighted | Kind::Sum | Kind::Max | Kind::Leaf | Kind::Softmax => {
                Treatment::Ratio(Ratio::plain(options.number("epsilon")))
            }
            _ => unweighted(kind),
        }
    }
}
