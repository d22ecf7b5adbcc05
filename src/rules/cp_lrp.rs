//! `cp-lrp` — conservative propagation through transformers (Ali et al. 2022, ICML).
//!
//! Gates are held constant where they meet an activation: attention weights, so that queries and keys get no
//! relevance, and the branch of a GLU that goes through an activation function. Everything else is as under
//! `attnlrp`, with ε = 1e-9:
//!
//! ```text
//! R_x = x ⊙ Jᵀ (R / (y + ε · sign(y)))      with y = f(x; θ), sign(0) = 1
//! ```
//!
//! at layers with weights, the values of attention and sums; activations pass relevance on, and normalisations do
//! with what they divide by for a constant. It is what the package lxt computes under that name.
//!
//! Suits transformers, at less cost than `attnlrp`; on networks of rectifiers it is `epsilon`, and as noisy.

use super::{Rule, RuleOptions, Treatment, attnlrp};
use crate::ir::Kind;

pub(super) const RULE: &dyn Rule = &CpLrp;

struct CpLrp;

impl Rule for CpLrp {
    fn name(&self) -> &'static str {
        "cp-lrp"
    }

    fn treatment(&self, kind: Kind, _options: &RuleOptions<'_>) -> Treatment {
        attnlrp::in_transformers(kind)
    }

    fn holds_gates(&self) -> bool {
        true
    }

    fn holds_activations(&self) -> bool {
        true
    }
}
