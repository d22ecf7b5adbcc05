//! `excitation` — excitation backprop (Zhang et al. 2016, eq. 5): `zplus` without biases.
//!
//! Suits convolutional networks of rectifiers, in the composite `excitation-backprop`.

use super::{
    Modifier, Ratio, Rule, RuleOptions, STABILISER, Treatment, alpha_beta::contributions,
    at_weights,
};
use crate::ir::Kind;

pub(super) const RULE: &dyn Rule = &Excitation;

struct Excitation;

impl Rule for Excitation {
    fn name(&self) -> &'static str {
        "excitation"
    }

    fn treatment(&self, kind: Kind, _options: &RuleOptions<'_>) -> Treatment {
        at_weights(kind, || {
            let mut term = contributions(Modifier::Positive, STABILISER);
            term.branches.iter_mut().for_each(|branch| branch.bias = None);
            Ratio::of(term)
        })
    }
}
