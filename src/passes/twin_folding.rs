//! `twin-folding`: one positive twin in place of a layer and its absolute twin.
//!
//! A layer is affine in its parameters, so `f(x; θ) + f(x; |θ|) = 2 f(x; θ⁺)` with
//! `θ⁺ = max(θ, 0)`. The factor cancels: `2z / (2z + ε) = z / (z + ε/2)`. One forward and one
//! backward convolution are saved per layer, and so is the rounding of a difference: what was
//! negative is no longer added and subtracted again.
//!
//! Runs at `-O2`, first, so that the rewrites after it see the parts that a rule is made of.

use super::{Action, Pass, Runs};
use crate::rules::{Branch, Known, Modifier, Ratio, Stabiliser};

pub(super) const PASS: Pass =
    Pass { name: "twin-folding", runs: Runs::AtO2, action: Action::Rule(rewrite) };

fn rewrite(mut ratio: Ratio, _known: Known) -> Ratio {
    let twins = [Branch::PLAIN, Branch::of(Modifier::Identity, Modifier::Absolute)];
    for term in &mut ratio.terms {
        if let Stabiliser::SignOver(epsilon) = term.stabiliser
            && term.branches == twins
        {
            term.branches = vec![Branch::of(Modifier::Identity, Modifier::Positive)];
            term.stabiliser = Stabiliser::SignOver(epsilon / 2.0);
        }
    }
    ratio
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ir::Kind,
        passes::tests::layer,
        rules::{Choice, Part, Treatment},
    };

    fn folded(rule: &str) -> Ratio {
        let rule: Choice = rule.parse().unwrap();
        let Treatment::Ratio(ratio) = rule.treatment(Kind::Weighted, Part::Any) else {
            panic!("no ratio")
        };
        rewrite(ratio, layer(false))
    }

    #[test]
    fn folds_the_twin_of_the_notebook() {
        let term = folded("abslrp-notebook").terms.remove(0);
        assert_eq!(term.branches, [Branch::of(Modifier::Identity, Modifier::Positive)]);
        assert_eq!(term.stabiliser, Stabiliser::SignOver(0.5e-9));
    }

    #[test]
    fn leaves_a_rule_without_twins() {
        assert_eq!(folded("epsilon").terms[0].branches, [Branch::PLAIN]);
    }
}
