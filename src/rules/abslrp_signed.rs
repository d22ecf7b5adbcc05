//! `abslrp-signed` — the default rule with the usual stabiliser, for signed inputs.
//!
//! ```text
//! s   = R / (y′ + ε · sign(y′))      with y′ as in `abslrp-notebook`, sign(0) = 1, ε = 1e-9
//! R_x = x ⊙ (∂y′/∂x)ᵀ s
//! ```
//!
//! The sign of the relevance does not flip where y′ is negative, so that relevance is conserved but
//! for what biases and ε take.

use super::{Rule, RuleOptions, Stabiliser, Treatment, abslrp_notebook::by_magnitude};
use crate::ir::Kind;

pub(super) const RULE: &dyn Rule = &AbsLrpSigned;

struct AbsLrpSigned;

impl Rule for AbsLrpSigned {
    fn name(&self) -> &'static str {
        "abslrp-signed"
    }

    fn treatment(&self, kind: Kind, _options: &RuleOptions<'_>) -> Treatment {
        by_magnitude(kind, Stabiliser::Signed(1e-9), false)
    }
}
