//! `deconvolution` — the deconvolution network of Zeiler and Fergus (2014), at activations: the positive
//! part of what arrives passes. Elsewhere the gradient.
//!
//! ```text
//! R_x = R⁺
//! ```
//!
//! Suits pictures of edges, not explanations: on networks of rectifiers its maps hardly depend on the class (Nie et al. 2018).

use super::{Rule, RuleOptions, Treatment};
use crate::ir::Kind;

pub(super) const RULE: &dyn Rule = &Deconvolution;

struct Deconvolution;

impl Rule for Deconvolution {
    fn name(&self) -> &'static str {
        "deconvolution"
    }

    fn treatment(&self, kind: Kind, _options: &RuleOptions<'_>) -> Treatment {
        match kind {
            Kind::Activation => Treatment::PositivePass,
            _ => Treatment::Adjoint,
        }
    }
}
