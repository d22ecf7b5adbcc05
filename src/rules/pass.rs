//! `pass` — relevance passes unchanged, where a unit has operands of the shape of its result; elsewhere as
//! other rules for layers with weights.
//!
//! Suits single layers, in a composite, which are to leave relevance as it is.

use super::{Rule, RuleOptions, Treatment, unweighted};
use crate::ir::Kind;

pub(super) const RULE: &dyn Rule = &Pass;

struct Pass;

impl Rule for Pass {
    fn name(&self) -> &'static str {
        "pass"
    }

    fn treatment(&self, kind: Kind, _options: &RuleOptions<'_>) -> Treatment {
        match kind {
            Kind::Weighted => Treatment::Pass,
            _ => unweighted(kind),
        }
    }
}
