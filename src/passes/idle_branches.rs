//! `idle-branches`: what a rule makes of the negative part of an input that has none is not computed.
//!
//! Where `x ≥ 0`, `x⁺ = |x| = x`, and a branch without a bias that sees only `x⁻ = 0` adds nothing to any
//! denominator and gets no relevance. In a network of `ReLU`s this halves what `zplus`, `alpha-beta` and
//! `gamma` cost.
//!
//! Runs at `-O2`, first, so that the rewrites after it see what is left of a rule.

use super::{Action, Pass, Runs};
use crate::rules::{Known, Modifier, Ratio};

pub(super) const PASS: Pass =
    Pass { name: "idle-branches", runs: Runs::AtO2, action: Action::Rule(rewrite) };

fn rewrite(mut ratio: Ratio, known: Known) -> Ratio {
    if !known.non_negative {
        return ratio;
    }
    for term in &mut ratio.terms {
        term.branches.retain(|b| b.input != Modifier::Negative || b.bias.is_some());
        for branch in &mut term.branches {
            if matches!(branch.input, Modifier::Positive | Modifier::Absolute) {
                branch.input = Modifier::Identity;
            }
        }
    }
    ratio.terms.retain(|term| !term.branches.is_empty());
    ratio
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ir::Kind,
        passes::tests::layer,
        rules::{Branch, Choice, Treatment},
    };

    #[test]
    fn drops_what_sees_nothing() {
        let rule: Choice = "zplus".parse().unwrap();
        let Treatment::Ratio(ratio) = rule.treatment(Kind::Weighted) else { panic!("no ratio") };
        assert_eq!(rewrite(ratio.clone(), layer(false)), ratio);
        let branches = rewrite(ratio, layer(true)).terms.remove(0).branches;
        assert_eq!(branches, [Branch::of(Modifier::Identity, Modifier::Positive)]);
    }
}
