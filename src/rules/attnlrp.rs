//! `attnlrp` — AttnLRP, attention-aware LRP for transformers (Achtibat et al. 2024, ICML).
//!
//! ```text
//! R_x = x ⊙ Jᵀ (R / (y + ε · sign(y)))      with y = f(x; θ), ε = 1e-9, sign(0) = 1
//! ```
//!
//! at layers with weights, sums, shifts by constants and, as a first-order Taylor expansion, softmaxes (proposition
//! 3.1). Of a product of two activations each gets half of that (3.2, 3.3): attention weights and values, queries and
//! keys, the two branches of a SwiGLU. Activations pass relevance on (equation 9). Normalisations share it by the same
//! formula with what they divide by for a constant (3.4), and a maximum gives all to the largest.
//!
//! It is what the authors' package lxt computes for the models it patches, where biases take a share, too, and the
//! mean that a layer normalisation subtracts has a gradient.
//!
//! It divides by results, which vanish where contributions cancel. In networks for images its authors use `gamma` at
//! layers with weights for that reason: `docs/rules.md` says how.
//!
//! Suits transformers; on networks of rectifiers it is `epsilon`, and as noisy.

use super::{Branch, Detached, Ratio, Rule, RuleOptions, Stabiliser, Term, Treatment};
use crate::ir::Kind;

pub(super) const RULE: &dyn Rule = &AttnLrp;

struct AttnLrp;

const EPSILON: f64 = 1e-9;

impl Rule for AttnLrp {
    fn name(&self) -> &'static str {
        "attnlrp"
    }

    fn treatment(&self, kind: Kind, _options: &RuleOptions<'_>) -> Treatment {
        in_transformers(kind)
    }
}

/// What AttnLRP does, and CP-LRP where it holds nothing constant.
pub(super) fn in_transformers(kind: Kind) -> Treatment {
    let plain = Ratio::plain(EPSILON);
    match kind {
        Kind::Weighted | Kind::Sum | Kind::Softmax | Kind::Leaf | Kind::Affine => {
            Treatment::Ratio(plain)
        }
        Kind::Product => Treatment::Ratio(Ratio { share: 0.5, ..plain }),
        Kind::Normalisation => {
            let branch = Branch::PLAIN.detach(Detached::Divisor);
            Treatment::Ratio(Ratio::of(Term::of(vec![branch], Stabiliser::Signed(EPSILON))))
        }
        Kind::Activation | Kind::Quotient => Treatment::Pass,
        Kind::Max
        | Kind::Movement
        | Kind::Resampling
        | Kind::Embedding
        | Kind::Subgraphs
        | Kind::Stop => Treatment::Adjoint,
    }
}
