//! `abslrp` — layer-wise relevance propagation by absolute magnitude, the default.
//!
//! For a unit `y = f(x; θ)` with relevance `R` at `y`, and ε = 1e-9, where the contribution `c_i` is what
//! `x_i` adds to `y`, in general `x_i ∂y/∂x_i`:
//!
//! ```text
//! with weights    y′  = f(x; θ) + f(|x|; |θ|) = 2 Σ_i max(c_i, 0)
//!                 s   = R / (y′ + ε)
//!                 R_x = x ⊙ (∂f(x; θ)/∂x)ᵀ s + |x| ⊙ (∂f(|x|; |θ|)/∂|x|)ᵀ s
//! sums, others    s   = R · sign(y) / (Σ_i |c_i| + ε)
//!                 R_x = x ⊙ (∂y/∂x)ᵀ s
//! ```
//!
//! Half of `y′` is `f(x⁺; W⁺, b⁺) + f(x⁻; W⁻)`, with the positive and the negative parts of both, and that is
//! how it is computed: as a sum of what is not negative, it does not cancel.
//!
//! Layers share relevance by positive contributions, sums by the magnitudes of theirs. Activations and
//! normalisations pass it on, a shut `ReLU` lets nothing through, a maximum gives all to the largest.
//! Gates are held constant where they meet an activation: attention weights, squeeze-and-excitation and
//! the gates of GLUs weigh relevance and get none. Any other product gives each operand half. The twin
//! that sees `|x|` is that of the authors' release (davor10105/relative-absolute-magnitude-propagation).
//!
//! No unit gives on more than it gets, Σ |R| never grows, so that a map is bounded by what it started
//! from on any network. Where activations cannot be negative, layers and sums do what `abslrp-notebook`
//! does.
//!
//! Suits any network, signed activations included: maps are bounded, and runtimes agree on them.

use super::{Branch, Modifier, Ratio, Rule, RuleOptions, Stabiliser, Term, Treatment};
use crate::ir::Kind;

pub(super) const RULE: &dyn Rule = &AbsLrp;

struct AbsLrp;

const EPSILON: f64 = 1e-9;

impl Rule for AbsLrp {
    fn name(&self) -> &'static str {
        "abslrp"
    }

    fn treatment(&self, kind: Kind, _options: &RuleOptions<'_>) -> Treatment {
        // The positive contributions, term by term: where none is, rounding must not pass for one.
        let positive = Branch::of(Modifier::Positive, Modifier::Positive);
        let negative = Branch::of(Modifier::NegativeMagnitude, Modifier::NegativeMagnitude);
        let weighted =
            Term::of(vec![positive, negative.without_bias()], Stabiliser::Over(EPSILON / 2.0));
        let leaf = Ratio::of(Term::of(vec![Branch::PLAIN], Stabiliser::Magnitudes(EPSILON)));
        match kind {
            Kind::Weighted => Treatment::Ratio(Ratio::of(weighted)),
            Kind::Sum | Kind::Leaf | Kind::Softmax => Treatment::Ratio(leaf),
            Kind::Product => Treatment::Ratio(Ratio { share: 0.5, ..leaf }),
            Kind::Activation => Treatment::PassOpen,
            Kind::Quotient | Kind::Normalisation | Kind::Affine => Treatment::Pass,
            Kind::Max
            | Kind::Movement
            | Kind::Resampling
            | Kind::Embedding
            | Kind::Subgraphs
            | Kind::Stop => Treatment::Adjoint,
        }
    }

    fn holds_gates(&self) -> bool {
        true
    }

    fn is_bounded(&self) -> bool {
        true
    }
}
