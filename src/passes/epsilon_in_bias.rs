//! `epsilon-in-bias`: the stabiliser of a twin is part of its bias.
//!
//! `f(x; W⁺, b⁺) + ε = f(x; W⁺, b⁺ + ε)`, which saves one pass over memory per layer. (A `Gemm` with
//! another β than 1 has β ε, which stabilises as well.)
//!
//! Runs at `-O2`, last of the rewrites of rules, as it needs a stabiliser without a sign.

use super::{Action, Pass, Runs};
use crate::rules::{Branch, Known, Ratio, Stabiliser};

pub(super) const PASS: Pass =
    Pass { name: "epsilon-in-bias", runs: Runs::AtO2, action: Action::Rule(rewrite) };

fn rewrite(mut ratio: Ratio, known: Known) -> Ratio {
    if !known.linear {
        return ratio;
    }
    for term in &mut ratio.terms {
        // The layer itself has been computed, without ε.
        if let Stabiliser::Over(epsilon) = term.stabiliser
            && let Some(twin) = term.branches.iter_mut().find(|b| **b != Branch::PLAIN)
            && !twin.negative
        {
            twin.shift += epsilon;
            term.stabiliser = Stabiliser::Over(0.0);
        }
    }
    ratio
}
