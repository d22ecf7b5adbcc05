//! `twin-folding`: one positive twin in place of a layer and its absolute twin.
//!
//! A layer is affine in its parameters, so `f(x; θ) + f(x; |θ|) = 2 f(x; θ⁺)` with
//! `θ⁺ = max(θ, 0)`. The factor cancels: `2z / (2z + ε) = z / (z + ε/2)`. One forward and one
//! backward convolution are saved per layer, and so is the rounding of a difference: what was
//! negative is no longer added and subtracted again.

use super::Pass;
use crate::rules::{Branch, Modifier, Ratio, Stabiliser};

pub(super) struct TwinFolding;

impl Pass for TwinFolding {
    fn name(&self) -> &'static str {
        "twin-folding"
    }

    fn ratio(&self, ratio: Ratio) -> Ratio {
        let twins = [Branch::PLAIN, Branch::of(Modifier::IDENTITY, Modifier::ABSOLUTE)];
        match ratio.stabiliser {
            Stabiliser::SignOver(epsilon) if ratio.branches == twins => Ratio {
                branches: vec![Branch::of(Modifier::IDENTITY, Modifier::POSITIVE)],
                stabiliser: Stabiliser::SignOver(epsilon / 2.0),
                ..ratio
            },
            _ => ratio,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ops::Kind,
        rules::{Choice, Treatment},
    };

    fn folded(rule: &str) -> Ratio {
        let rule: Choice = rule.parse().unwrap();
        let Treatment::Ratio(ratio) = rule.treatment(Kind::Weighted) else { panic!("no ratio") };
        TwinFolding.ratio(ratio)
    }

    #[test]
    fn folds_the_twins_of_abslrp() {
        let ratio = folded("abslrp");
        assert_eq!(ratio.branches, [Branch::of(Modifier::IDENTITY, Modifier::POSITIVE)]);
        assert_eq!(ratio.stabiliser, Stabiliser::SignOver(0.5e-9));
    }

    #[test]
    fn leaves_a_rule_without_twins() {
        assert_eq!(folded("epsilon").branches, [Branch::PLAIN]);
    }
}
