//! `abslrp-notebook` — layer-wise relevance propagation by absolute magnitude, letter by letter as the
//! notebook computes it that the project comes from: for VGG16 and the like.
//!
//! For a unit `y = f(x; θ)` with relevance `R` at `y` and ε = 1e-9:
//!
//! ```text
//! y′  = f(x; θ) + f(x; |θ|)   with weights (the twin sees the same x)
//! y′  = f(x)                  without
//! s   = R · sign(y′) / (y′ + ε)
//! R_x = x ⊙ (∂y′/∂x)ᵀ s
//! ```
//!
//! What scales or shifts by constants, and what normalises, passes relevance on unchanged; what
//! moves data moves relevance; a product gives each operand half.
//!
//! `norms=twin` takes normalisations for layers with weights, as a framework that hooks every layer
//! does: nothing is folded, and their scales and biases get an absolute twin.
//!
//! Where `y′` can be negative or vanish, as behind signed activations, the rule is ill-conditioned, since it
//! divides by `y′`: there, use `abslrp`.
//!
//! Suits VGG16 and the like, whose activations behind the first layer are not negative, and whoever needs the map of
//! the notebook.

use super::{Branch, Modifier, Opt, Ratio, Rule, RuleOptions, Stabiliser, Term, Treatment};
use crate::ir::Kind;

pub(super) const RULE: &dyn Rule = &AbsLrpNotebook;

struct AbsLrpNotebook;

const EPSILON: f64 = 1e-9;

impl Rule for AbsLrpNotebook {
    fn name(&self) -> &'static str {
        "abslrp-notebook"
    }

    fn options(&self) -> &'static [Opt] {
        &[Opt {
            name: "norms",
            default: Some(0.0),
            list: false,
            words: &["pass", "twin"],
            what: "whether relevance passes normalisations, or they have twins",
        }]
    }

    fn treatment(&self, kind: Kind, options: &RuleOptions<'_>) -> Treatment {
        by_magnitude(kind, Stabiliser::SignOver(EPSILON), options.number("norms") > 0.0)
    }

    fn folds(&self, options: &RuleOptions<'_>) -> bool {
        options.number("norms") < 1.0
    }
}

fn by_magnitude(kind: Kind, stabiliser: Stabiliser, twin_norms: bool) -> Treatment {
    let leaf = Ratio::of(Term::of(vec![Branch::PLAIN], stabiliser));
    let twin = Branch::of(Modifier::Identity, Modifier::Absolute);
    let weighted = || Ratio::of(Term::of(vec![Branch::PLAIN, twin.clone()], stabiliser));
    match kind {
        Kind::Weighted => Treatment::Ratio(weighted()),
        Kind::Normalisation if twin_norms => Treatment::Ratio(weighted()),
        Kind::Activation
        | Kind::Sum
        | Kind::Max
        | Kind::Leaf
        | Kind::Softmax
        | Kind::Resampling
        | Kind::Quotient => Treatment::Ratio(leaf),
        Kind::Product => Treatment::Ratio(Ratio { share: 0.5, ..leaf }),
        Kind::Normalisation | Kind::Affine => Treatment::Pass,
        Kind::Movement | Kind::Embedding | Kind::Subgraphs | Kind::Stop => Treatment::Adjoint,
    }
}
