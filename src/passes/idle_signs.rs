//! `idle-signs`: what cannot be negative has no sign.
//!
//! Where `x ≥ 0`, and weights are where they stand for magnitudes, `z ≥ 0`, and `z = 0` only if every
//! contribution to it is: then so is `x ⊙ Jᵀ s`, whatever `s` is.
//!
//! Runs at `-O2`, after `twin-folding`, whose positive twin is what cannot be negative.

use super::{Action, Pass, Runs};
use crate::{
    ir::Kind,
    rules::{Branch, Known, Modifier, Ratio, Stabiliser},
};

pub(super) const PASS: Pass =
    Pass { name: "idle-signs", runs: Runs::AtO2, action: Action::Rule(rewrite) };

fn rewrite(mut ratio: Ratio, known: Known) -> Ratio {
    if !known.non_negative {
        return ratio;
    }
    let positive = |m: &Modifier| matches!(m, Modifier::Positive | Modifier::Absolute);
    let adds_up = |branch: &Branch| match known.kind {
        Kind::Sum | Kind::Max => *branch == Branch::PLAIN,
        Kind::Weighted => {
            !branch.negative
                && matches!(
                    branch.input,
                    Modifier::Identity | Modifier::Positive | Modifier::Absolute
                )
                && positive(&branch.weight)
                && branch.bias.as_ref().is_none_or(positive)
        }
        _ => false,
    };
    for term in &mut ratio.terms {
        if let Stabiliser::SignOver(epsilon) | Stabiliser::Signed(epsilon) = term.stabiliser
            && epsilon > 0.0
            && term.branches.iter().all(adds_up)
        {
            term.stabiliser = Stabiliser::Over(epsilon);
        }
    }
    ratio
}
