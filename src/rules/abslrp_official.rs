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
//! Relevance starts at 1 for the target; a second sweep starts at 1/(K − 1) for each other class and is
//! subtracted, and the result is divided by its largest magnitude, per sample. It is about one class: the one
//! with the largest score, unless `--target` names another.
//!
//! The release has three architectures of timm, VGG, ResNet and ViT, and what is written here is what it computes
//! for them as they are exported:
//!
//! - Layer normalisations and softmaxes take their statistics and denominators for constants, each branch its own.
//! - Adding the position embedding is a unit, and so is taking the class token.
//! - Where the shortcut of a residual sum is the identity, its gradient is the whole one: also that through the
//!   block, which is the other operand.
//! - Max pools of a VGG do not divide: `R_x = x ⊙ Jᵀ R`, normalised likewise. Those of a ResNet do.
//!
//! What scales or shifts by constants passes relevance on; normalisations that fold into a layer are
//! part of it. The release hooks Dropout and Identity layers too, which changes its result even though they do
//! nothing at inference; an exported graph has none.
//!
//! Since it divides by `|y|`, which vanishes where contributions cancel, what it gives is as precise as those are.
//!
//! Suits comparisons with the release, on timm's VGG, ResNet and ViT.

use super::{
    Branch, Detached, Init, Modifier, Normalize, Part, Ratio, Rule, RuleOptions, Stabiliser, Start,
    Term, Treatment,
};
use crate::ir::Kind;

pub(super) const RULE: &dyn Rule = &AbsLrpOfficial;

struct AbsLrpOfficial;

impl Rule for AbsLrpOfficial {
    fn name(&self) -> &'static str {
        "abslrp-official"
    }

    fn treatment(&self, kind: Kind, options: &RuleOptions<'_>) -> Treatment {
        self.treatment_of(kind, Part::Any, options)
    }

    fn asks_parts(&self) -> bool {
        true
    }

    fn treatment_of(&self, kind: Kind, part: Part, _options: &RuleOptions<'_>) -> Treatment {
        let detached = Detached::Statistics;
        let twin = Branch::of(Modifier::Absolute, Modifier::Absolute).detach(detached);
        let branches = vec![Branch::PLAIN.detach(detached), twin];
        let by_magnitude = Ratio {
            through_others: part == Part::Skip,
            ..normalised(branches, Stabiliser::OwnMagnitude(1e-9))
        };
        let by_magnitude = Treatment::Ratio(by_magnitude);
        match (kind, part) {
            (Kind::Affine, Part::Positions)
            | (Kind::Movement, Part::Pick)
            | (Kind::Max, Part::ResidualPool) => by_magnitude,
            (Kind::Max, _) => Treatment::Ratio(normalised(vec![Branch::PLAIN], Stabiliser::Whole)),
            (Kind::Affine, _) => Treatment::Pass,
            (Kind::Movement | Kind::Embedding | Kind::Stop, _) => Treatment::Adjoint,
            _ => by_magnitude,
        }
    }

    fn start(&self) -> Start {
        Start { init: Some(Init::One), contrast: true, normalize: Some(Normalize::Max) }
    }
}

fn normalised(branches: Vec<Branch>, stabiliser: Stabiliser) -> Ratio {
    Ratio { normalised: true, ..Ratio::of(Term::of(branches, stabiliser)) }
}
