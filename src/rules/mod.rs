//! Rules: how relevance moves, for any operator.
//!
//! A rule says what becomes of relevance at each [`Kind`] of unit, as data ([`Treatment`]). It
//! knows no operator; the sweep asks the operator of each unit for `forward` and `adjoint` of the
//! branches that the rule lists. Every rule's file is its user documentation, which `abslrp rules`
//! shows. [`Composite`]s give different units different rules.
//!
//! To add a rule: write its file and add its word to the list below. A program that needs a rule of its
//! own implements [`Rule`] and passes it on with [`Choice::of`]; `examples/custom_rule.rs` does.

mod abslrp;
mod abslrp_notebook;
mod abslrp_official;
mod alpha_beta;
mod attnlrp;
mod choice;
mod composite;
mod cp_lrp;
mod deconvolution;
mod epsilon;
mod excitation;
mod flat;
mod gamma;
mod gradient;
mod gradient_x_input;
mod guided;
mod norm;
mod pass;
mod ratio;
mod start;
mod wsquare;
mod zbox;
mod zero;
mod zplus;

pub use choice::{Choice, Opt, RuleOptions};
pub use composite::{Composite, Match, PRESETS, Place};
pub use ratio::{Branch, Gate, Known, Modifier, Ratio, Rewrite, Stabiliser, Term};
pub use start::{Init, Normalize, Start};

pub use crate::ir::{Detached, Kind};

macro_rules! rules {
    ($($module:ident)*) => {
        /// All rules, the default first.
        pub const ALL: &[&dyn Rule] = &[$($module::RULE),*];
        /// The documentation of all rules, in the same order.
        const DOCUMENTATION: &[&str] = &[$(include_str!(concat!(stringify!($module), ".rs"))),*];
    };
}

rules! {
    abslrp abslrp_notebook abslrp_official epsilon gamma alpha_beta zplus zbox wsquare flat pass norm
    zero attnlrp cp_lrp gradient gradient_x_input excitation guided deconvolution
}

/// A rule.
pub trait Rule: Sync {
    /// Its name on the command line.
    fn name(&self) -> &'static str;

    /// Its options.
    fn options(&self) -> &'static [Opt] {
        &[]
    }

    /// What it does at a kind of unit.
    fn treatment(&self, kind: Kind, options: &RuleOptions<'_>) -> Treatment;

    /// Whether the parts that units play make a difference to it.
    fn asks_parts(&self) -> bool {
        false
    }

    /// What it does at a unit that plays a part in an architecture, where that makes a difference.
    fn treatment_of(&self, kind: Kind, _part: Part, options: &RuleOptions<'_>) -> Treatment {
        self.treatment(kind, options)
    }

    /// What the options contradict, if they do.
    fn objection(&self, _options: &RuleOptions<'_>) -> Option<String> {
        None
    }

    /// Whether scales, shifts and normalisations fold into the layers before them.
    fn folds(&self, _options: &RuleOptions<'_>) -> bool {
        true
    }

    /// Whether a gate is held constant where it meets an activation that is none, which then takes all.
    fn holds_gates(&self) -> bool {
        false
    }

    /// Whether that also goes for what an activation function gives, where it meets what none gave: of the two
    /// branches of a SwiGLU, the one that goes through the function.
    fn holds_activations(&self) -> bool {
        false
    }

    /// Whether no unit gives on more relevance than it gets, by magnitude, so that Σ |R| never grows.
    fn is_bounded(&self) -> bool {
        false
    }

    /// Whether what arrives at an input is multiplied by the input.
    fn times_input(&self) -> bool {
        false
    }

    /// How relevance starts, where that is part of the rule.
    fn start(&self) -> Start {
        Start::default()
    }
}

/// The part that a unit plays in an architecture, where a rule goes by more than what the unit computes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Part {
    /// None in particular.
    #[default]
    Any,
    /// Adds learnt positions to tokens.
    Positions,
    /// Takes some of the tokens behind the last attention, the others of which nobody takes: that of the class.
    Pick,
    /// A sum one operand of which is computed from another: a residual block whose shortcut is the identity.
    Skip,
    /// A maximum in a network with residual sums.
    ResidualPool,
}

/// What becomes of relevance at a unit.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Treatment {
    /// It is shared in proportion to what each input contributes.
    Ratio(Ratio),
    /// It passes unchanged, summed where an input was broadcast.
    Pass,
    /// It moves by the adjoint of the unit: with the data, or as a gradient.
    Adjoint,
    /// Its positive part moves by the adjoint of the unit.
    PositiveAdjoint,
    /// It passes where the unit is open: nothing does where a rectifier gives 0.
    PassOpen,
    /// Its positive part passes.
    PositivePass,
    /// That of the units within: of subgraphs. No rule is asked about these.
    Within,
    /// It ends.
    Zero,
    /// The rule does not say.
    Unknown(&'static str),
}

impl Treatment {
    /// Whether it gives any relevance to an operand of a unit of that kind. The denominator of a quotient
    /// is a constant, but for a gradient.
    pub fn reaches(&self, kind: Kind, operand: usize) -> bool {
        match self {
            Self::Zero | Self::Unknown(_) => false,
            Self::Adjoint | Self::PositiveAdjoint => true,
            _ => kind != Kind::Quotient || operand == 0,
        }
    }

    /// Its name, for tables.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Ratio(_) => "ratio",
            Self::Pass | Self::PassOpen => "pass",
            Self::Adjoint => "adjoint",
            Self::PositiveAdjoint => "positive adjoint",
            Self::PositivePass => "positive pass",
            Self::Within => "within",
            Self::Zero => "zero",
            Self::Unknown(_) => "unknown",
        }
    }
}

/// The documentation of a rule, from the head of its file.
pub fn documentation(rule: &dyn Rule) -> String {
    let of = |(known, _): &(&&dyn Rule, &&str)| known.name() == rule.name();
    let text = ALL.iter().zip(DOCUMENTATION).find(of).map_or("", |(_, text)| text);
    let lines = text.lines().map_while(|line| line.strip_prefix("//!"));
    let lines = lines.map(|line| line.strip_prefix(' ').unwrap_or(line));
    lines.flat_map(|line| [line, "\n"]).collect()
}

/// Which networks or layers a rule suits: the paragraph of its documentation that says so.
pub fn advice(rule: &dyn Rule) -> String {
    let documentation = documentation(rule);
    let advice = documentation.split("\n\n").find(|paragraph| paragraph.starts_with("Suits "));
    advice.unwrap_or_default().trim_end().replace('\n', " ")
}

/// The denominators of rules for layers with weights are stabilised by this where there is no
/// other option for it, and so are those of sums; zennit's default.
const STABILISER: f64 = 1e-6;

/// What rules for layers with weights do elsewhere, as in zennit: activations and normalisations
/// pass relevance on, pools by averages and sums share it in proportion, max pools give it to the
/// winner, and other functions without weights move it by their gradient.
pub fn unweighted(kind: Kind) -> Treatment {
    match kind {
        Kind::Sum | Kind::Weighted | Kind::Quotient => Treatment::Ratio(Ratio::plain(STABILISER)),
        Kind::Product => Treatment::Ratio(Ratio { share: 0.5, ..Ratio::plain(STABILISER) }),
        Kind::Activation | Kind::Normalisation | Kind::Affine => Treatment::Pass,
        Kind::Max
        | Kind::Leaf
        | Kind::Softmax
        | Kind::Movement
        | Kind::Resampling
        | Kind::Embedding
        | Kind::Subgraphs
        | Kind::Stop => Treatment::Adjoint,
    }
}

/// What `weighted` says at layers with weights, and what rules for those do elsewhere.
pub fn at_weights(kind: Kind, weighted: impl FnOnce() -> Ratio) -> Treatment {
    if kind == Kind::Weighted { Treatment::Ratio(weighted()) } else { unweighted(kind) }
}
