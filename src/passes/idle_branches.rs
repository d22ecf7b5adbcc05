//! `idle-branches`: what a rule makes of the negative part of what has none is not computed.
//!
//! Where `x ≥ 0`, `x⁺ = |x| = x`, and a branch without a bias that sees only `x⁻ = 0` adds nothing to any
//! denominator and gets no relevance. In a network of `ReLU`s this halves what `zplus`, `alpha-beta` and
//! `gamma` cost. The same holds of weights, which cannot be negative where they are attention weights.
//!
//! Runs at `-O2`, after `twin-folding`, which takes rules apart into such branches.

use super::{Action, Pass, Runs};
use crate::rules::{Known, Modifier, Ratio};

pub(super) const PASS: Pass =
    Pass { name: "idle-branches", runs: Runs::AtO2, action: Action::Rule(rewrite) };

fn rewrite(mut ratio: Ratio, known: Known) -> Ratio {
    let keep = |modifier: &mut Modifier| {
        if matches!(modifier, Modifier::Positive | Modifier::Absolute) {
            *modifier = Modifier::Identity;
        }
    };
    for term in &mut ratio.terms {
        term.branches.retain(|branch| {
            let vanishes =
                |m: &Modifier| matches!(m, Modifier::Negative | Modifier::NegativeMagnitude);
            let idle = known.non_negative && vanishes(&branch.input)
                || known.non_negative_weights && vanishes(&branch.weight);
            !idle || branch.bias.is_some()
        });
        for branch in &mut term.branches {
            if known.non_negative {
                keep(&mut branch.input);
            }
            if known.non_negative_weights {
                keep(&mut branch.weight);
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
        rules::{Branch, Choice, Part, Treatment},
    };

    #[test]
    fn drops_what_sees_nothing() {
        let rule: Choice = "zplus".parse().unwrap();
        let Treatment::Ratio(ratio) = rule.treatment(Kind::Weighted, Part::Any) else {
            panic!("no ratio")
        };
        assert_eq!(rewrite(ratio.clone(), layer(false)), ratio);
        let branches = rewrite(ratio, layer(true)).terms.remove(0).branches;
        assert_eq!(branches, [Branch::of(Modifier::Identity, Modifier::Positive)]);
    }
}
