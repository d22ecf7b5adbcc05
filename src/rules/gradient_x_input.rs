//! `gradient-x-input` — the gradient, times the input (Shrikumar et al. 2017).
//!
//! ```text
//! R_x = x ⊙ Jᵀ R
//! ```
//!
//! An index gets what is so computed for the part of a constant that it fetches, an embedding, added up.
//!
//! Suits comparisons, as the rule that all others should beat; on linear models it is exact.

use super::{Rule, RuleOptions, Treatment};
use crate::ir::Kind;

pub(super) const RULE: &dyn Rule = &GradientXInput;

struct GradientXInput;

impl Rule for GradientXInput {
    fn name(&self) -> &'static str {
        "gradient-x-input"
    }

    fn treatment(&self, _kind: Kind, _options: &RuleOptions<'_>) -> Treatment {
        Treatment::Adjoint
    }

    fn times_input(&self) -> bool {
        true
    }
}
