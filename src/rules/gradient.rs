//! `gradient` — the gradient of the explained output, weighted by the relevance it starts from.
//!
//! ```text
//! R_x = Jᵀ R
//! ```
//!
//! With `--init one` it is the plain gradient (saliency; Simonyan et al. 2014).
//!
//! Suits checks: a framework's autograd gives the same. As an explanation it is what all others are measured against.

use super::{Rule, RuleOptions, Treatment};
use crate::ir::Kind;

pub(super) const RULE: &dyn Rule = &Gradient;

struct Gradient;

impl Rule for Gradient {
    fn name(&self) -> &'static str {
        "gradient"
    }

    fn treatment(&self, _kind: Kind, _options: &RuleOptions<'_>) -> Treatment {
        Treatment::Adjoint
    }
}
