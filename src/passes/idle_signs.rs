//! `idle-signs`: what cannot be negative has no sign.
//!
//! Where `x ≥ 0`, weights are where they stand for magnitudes, and the operation makes nothing negative
//! of that, as a difference does, `z ≥ 0`, and `z = 0` only if every contribution to it is: then so is
//! `x ⊙ Jᵀ s`, whatever `s` is.
//!
//! Runs at `-O2`, after `twin-folding` and `idle-branches`, whose positive twins cannot be negative.

use super::{Action, Pass, Runs};
use crate::{
    ir::Kind,
    rules::{Branch, Known, Modifier, Ratio, Stabiliser},
};

pub(super) const PASS: Pass =
    Pass { name: "idle-signs", runs: Runs::AtO2, action: Action::Rule(rewrite) };

fn rewrite(mut ratio: Ratio, known: Known) -> Ratio {
    if !known.non_negative || !known.keeps_sign {
        return ratio;
    }
    let is_part = |m: &Modifier| {
        matches!(m, Modifier::Positive | Modifier::Absolute | Modifier::NegativeMagnitude)
    };
    let positive =
        |m: &Modifier| is_part(m) || *m == Modifier::Identity && known.non_negative_weights;
    let adds_up = |branch: &Branch| match known.kind {
        Kind::Sum | Kind::Max => *branch == Branch::PLAIN,
        Kind::Weighted => {
            !branch.negative
                && matches!(
                    branch.input,
                    Modifier::Identity | Modifier::Positive | Modifier::Absolute
                )
                && positive(&branch.weight)
                && branch.bias.as_ref().is_none_or(is_part)
        }
        _ => false,
    };
    for term in &mut ratio.terms {
        let without_sign = match term.stabiliser {
            Stabiliser::SignOver(epsilon) | Stabiliser::Signed(epsilon) if epsilon > 0.0 => {
                Stabiliser::Over(epsilon)
            }
            // The magnitudes of what is not negative add up to its sum.
            Stabiliser::Magnitudes(epsilon) if known.kind == Kind::Sum => {
                Stabiliser::OwnMagnitude(epsilon)
            }
            _ => continue,
        };
        if term.branches.iter().all(adds_up) {
            term.stabiliser = without_sign;
        }
    }
    ratio
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::Term;

    #[test]
    fn a_difference_has_a_sign() {
        let layer = crate::passes::tests::layer(true);
        let sum = Known { kind: Kind::Sum, linear: false, ..layer };
        let stabiliser = |known| rewrite(Ratio::plain(1e-9), known).terms[0].stabiliser;
        assert_eq!(stabiliser(sum), Stabiliser::Over(1e-9));
        assert_eq!(stabiliser(Known { keeps_sign: false, ..sum }), Stabiliser::Signed(1e-9));
    }

    /// Of what adds up to itself, ε stays: where activations are as small, it counts.
    #[test]
    fn magnitudes_of_what_is_not_negative_are_its_sum() {
        let sum = Known { kind: Kind::Sum, linear: false, ..crate::passes::tests::layer(true) };
        let by_magnitudes = Ratio::of(Term::of(vec![Branch::PLAIN], Stabiliser::Magnitudes(1e-9)));
        let stabiliser = rewrite(by_magnitudes, sum).terms[0].stabiliser;
        assert_eq!(stabiliser, Stabiliser::OwnMagnitude(1e-9));
    }
}
