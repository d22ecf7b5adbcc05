//! `zero` — relevance ends at layers with weights.
//!
//! Suits branches, in a composite, that are to get no relevance.

use super::{Rule, RuleOptions, Treatment, unweighted};
use crate::ir::Kind;

pub(super) const RULE: &dyn Rule = &Zero;

struct Zero;

impl Rule for Zero {
    fn name(&self) -> &'static str {
        "zero"
    }

    fn treatment(&self, kind: Kind, _options: &RuleOptions<'_>) -> Treatment {
        match kind {
            Kind::Weighted => Treatment::Zero,
            _ => unweighted(kind),
        }
    }
}
