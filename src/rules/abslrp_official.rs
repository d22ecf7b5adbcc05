//! `abslrp-official` — the rule as its authors released it.
//!
//! For a unit `y = f(x; θ)` with relevance `R` at `y` and ε = 1e-9:
//!
//! ```text
//! y′  = f(x; θ) + f(|x|; |θ|)        without weights, too
//! R_x = x ⊙ Jᵀ s + |x| ⊙ J′ᵀ s       with s = R / (|y| + ε), and J, J′ at x and |x|
//! R_x ← R_x / Σ |R_x|                per sample, each operand by itself
//! ```
//!
//! Max pools do not divide: `R_x = x ⊙ Jᵀ R`, normalised likewise. Relevance starts at 1 for the
//! target; a second sweep starts at 1/(K − 1) for each other class and is subtracted, and the result is
//! divided by its largest magnitude, per sample. It is about one class: the one with the largest score,
//! unless `--target` names another.
//!
//! What scales or shifts by constants passes relevance on; normalisations that fold into a layer are
//! part of it. Others, and softmaxes, whose statistics and denominators the release holds constant, are
//! refused: transformers wait for that. The release hooks Dropout layers too, which changes its result
//! even though they do nothing at inference; an exported graph has none.

use super::{
    Branch, Init, Modifier, Normalize, Ratio, Rule, RuleOptions, Stabiliser, Start, Term, Treatment,
};
use crate::ir::Kind;

pub(super) const RULE: &dyn Rule = &AbsLrpOfficial;

struct AbsLrpOfficial;

impl Rule for AbsLrpOfficial {
    fn name(&self) -> &'static str {
        "abslrp-official"
    }

    fn treatment(&self, kind: Kind, _options: &RuleOptions<'_>) -> Treatment {
        let twin = Branch::of(Modifier::Absolute, Modifier::Absolute);
        let term = Term::of(vec![Branch::PLAIN, twin], Stabiliser::OwnMagnitude(1e-9));
        let leaf = Ratio { normalised: true, ..Ratio::of(term) };
        match kind {
            Kind::Weighted
            | Kind::Activation
            | Kind::Sum
            | Kind::Leaf
            | Kind::Resampling
            | Kind::Product
            | Kind::Quotient => Treatment::Ratio(leaf),
            Kind::Max => {
                let whole = Term::of(vec![Branch::PLAIN], Stabiliser::Whole);
                Treatment::Ratio(Ratio { normalised: true, ..Ratio::of(whole) })
            }
            Kind::Normalisation | Kind::Softmax => Treatment::Unknown(
                "statistics and denominators that abslrp-official holds constant (the rule abslrp crosses them)",
            ),
            Kind::Affine => Treatment::Pass,
            Kind::Movement | Kind::Embedding | Kind::Stop => Treatment::Adjoint,
        }
    }

    fn start(&self) -> Start {
        Start { init: Some(Init::One), contrast: true, normalize: Some(Normalize::Max) }
    }
}
