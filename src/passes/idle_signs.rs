//! `idle-signs`: what cannot be negative has no sign.
//!
//! Where `x ≥ 0`, and weights are where they stand for magnitudes, `z ≥ 0`, and `z = 0` only if every
//! contribution to it is: then so is `x ⊙ Jᵀ s`, whatever `s` is.

use super::{Known, Pass};
use crate::{
    ir::Kind,
    rules::{Branch, Modifier, Ratio, Stabiliser},
};

pub(super) struct IdleSigns;

impl Pass for IdleSigns {
    fn name(&self) -> &'static str {
        "idle-signs"
    }

    fn ratio(&self, mut ratio: Ratio, known: Known) -> Ratio {
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
}
