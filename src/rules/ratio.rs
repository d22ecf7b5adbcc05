//! Sharing in proportion: what most rules are, as data.

use crate::ir::{Detached, Kind};

/// `R_x = share · Σ_t factor_t · Σ_b ± x_b ⊙ J_bᵀ s_t`, where `s_t` is `R` over the stabilised
/// `z_t = Σ_b ± f(x_b; θ_b)`, and `x_b`, `θ_b` are the inputs and parameters that branch `b` makes of
/// those there are.
#[derive(Debug, Clone, PartialEq)]
pub struct Ratio {
    /// What is added up, each with a denominator of its own.
    pub terms: Vec<Term>,
    /// The part of the relevance that each operand gets.
    pub share: f64,
    /// Whether an operand from which another is computed gets what its gradient is through that one, too, as
    /// automatic differentiation has it.
    pub through_others: bool,
    /// Whether what an operand gets is scaled to Σ |R| = 1 per sample.
    pub normalised: bool,
}

impl Ratio {
    /// The unit itself, in one term.
    pub fn plain(epsilon: f64) -> Self {
        Self::of(Term::of(vec![Branch::PLAIN], Stabiliser::Signed(epsilon)))
    }

    /// A single term.
    pub fn of(term: Term) -> Self {
        Self { terms: vec![term], share: 1.0, through_others: false, normalised: false }
    }
}

/// Branches that share a denominator.
#[derive(Debug, Clone, PartialEq)]
pub struct Term {
    /// What it counts.
    pub factor: f64,
    /// The forms of the unit that are added up.
    pub branches: Vec<Branch>,
    /// How `R` is divided by `z`.
    pub stabiliser: Stabiliser,
    /// Where it counts.
    pub gate: Gate,
}

impl Term {
    /// A term that counts everywhere.
    pub fn of(branches: Vec<Branch>, stabiliser: Stabiliser) -> Self {
        Self { factor: 1.0, branches, stabiliser, gate: Gate::Everywhere }
    }
}

/// Where a term counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Gate {
    /// Everywhere.
    Everywhere,
    /// Where the unit's own result is positive.
    Positive,
    /// Where the unit's own result is negative.
    Negative,
}

/// A unit with its inputs and parameters modified.
#[derive(Debug, Clone, PartialEq)]
pub struct Branch {
    /// What is done to inputs.
    pub input: Modifier,
    /// What is done to weights.
    pub weight: Modifier,
    /// What is done to the bias; `None` leaves it out.
    pub bias: Option<Modifier>,
    /// What is added to its result.
    pub shift: f64,
    /// Whether it is subtracted.
    pub negative: bool,
    /// Which statistics are constants to its gradient.
    pub detached: Detached,
}

impl Branch {
    /// The unit itself.
    pub const PLAIN: Self = Self {
        input: Modifier::Identity,
        weight: Modifier::Identity,
        bias: Some(Modifier::Identity),
        shift: 0.0,
        negative: false,
        detached: Detached::Nothing,
    };

    /// A unit with its inputs, and its weights and bias, modified.
    pub fn of(input: Modifier, parameters: Modifier) -> Self {
        Self { input, weight: parameters.clone(), bias: Some(parameters), ..Self::PLAIN }
    }

    /// The same without a bias.
    pub fn without_bias(self) -> Self {
        Self { bias: None, ..self }
    }

    /// The same with statistics for constants.
    pub fn detach(self, detached: Detached) -> Self {
        Self { detached, ..self }
    }

    /// Whether it computes what the unit does.
    pub fn is_plain(&self) -> bool {
        self.clone().detach(Detached::Nothing) == Self::PLAIN
    }
}

/// A function of inputs or parameters.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Modifier {
    /// v
    Identity,
    /// |v|
    Absolute,
    /// max(v, 0)
    Positive,
    /// min(v, 0)
    Negative,
    /// max(−v, 0), the negative part without its sign: where both factors of a product lose it, the
    /// product is the same.
    NegativeMagnitude,
    /// 1
    One,
    /// v²
    Square,
    /// v + γ max(v, 0)
    MorePositive(f64),
    /// v + γ min(v, 0)
    MoreNegative(f64),
    /// These numbers, one for all or one per channel (axis 1).
    Constant(Vec<f64>),
}

/// How a relevance is divided by what it is the relevance of.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Stabiliser {
    /// `R · sign(z) / (z + ε)` with `sign(0) = 0`: the notebook's. Where `z = −ε` it gives 0.
    SignOver(f64),
    /// `R / (z + ε)`, for `z ≥ 0`.
    Over(f64),
    /// `R / (z + ε · sign(z))` with `sign(0) = 1`: the usual one (Montavon et al. 2019, eq. 10.2).
    Signed(f64),
    /// `R / (|y| + ε)`, with the unit's own result for `z`.
    OwnMagnitude(f64),
    /// `R · sign(y) / (Σ_i |x_i ∂y/∂x_i| + ε)`: by the magnitudes of contributions of either sign.
    Magnitudes(f64),
    /// `R`, undivided.
    Whole,
}

/// A rewrite of a rule, by what is known of the unit that it is emitted for.
pub type Rewrite = fn(Ratio, Known) -> Ratio;

/// What is known of a unit that a rule is emitted for.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Known {
    /// Its kind.
    pub kind: Kind,
    /// Whether it is a product with weights, which has a bias.
    pub linear: bool,
    /// Whether its result cannot be negative where no activation is.
    pub keeps_sign: bool,
    /// Whether none of its activations can be negative.
    pub non_negative: bool,
    /// Whether none of its weights can be.
    pub non_negative_weights: bool,
}
