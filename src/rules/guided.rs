//! `guided` — guided backprop (Springenberg et al. 2015), at activations: the gradient of the positive part
//! of what arrives. Elsewhere the gradient.
//!
//! ```text
//! R_x = Jᵀ R⁺
//! ```
//!
//! Suits pictures of edges, not explanations: on networks of rectifiers its maps hardly depend on the class (Nie et al. 2018,
//! Adebayo et al. 2018).

use super::{Rule, RuleOptions, Treatment};
use crate::ir::Kind;

pub(super) const RULE: &dyn Rule = &Guided;

struct Guided;

impl Rule for Guided {
    fn name(&self) -> &'static str {
        "guided"
    }

    fn treatment(&self, kind: Kind, _options: &RuleOptions<'_>) -> Treatment {
        match kind {
            Kind::Activation => Treatment::PositiveAdjoint,
            _ => Treatment::Adjoint,
        }
    }
}
