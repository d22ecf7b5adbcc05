//! Rules: how relevance moves, for any operator.
//!
//! A rule says what becomes of relevance at each [`Kind`] of unit, as data ([`Treatment`]). It
//! knows no operator; the sweep asks the operator of each unit for `forward` and `adjoint` of the
//! branches that the rule lists. Every rule's file is its user documentation.
//!
//! To add a rule: write its file and add its word to the list below.

use std::collections::BTreeMap;

use crate::{graph::Expr, ops::Kind};

macro_rules! rules {
    ($($module:ident)*) => {
        $(mod $module;)*
        /// All rules, the default first.
        pub const ALL: &[&dyn Rule] = &[$($module::RULE),*];
    };
}

rules! { abslrp epsilon gradient }

/// A rule.
pub trait Rule: Sync {
    /// Its name on the command line.
    fn name(&self) -> &'static str;

    /// Its options, with their defaults and what they mean.
    fn options(&self) -> &'static [(&'static str, f64, &'static str)];

    /// What it does at a kind of unit. `option` gives the value of an option.
    fn treatment(&self, kind: Kind, option: &dyn Fn(&str) -> f64) -> Treatment;
}

/// What becomes of relevance at a unit.
#[derive(Debug, Clone, PartialEq)]
pub enum Treatment {
    /// It is shared in proportion to what each input contributes.
    Ratio(Ratio),
    /// It passes unchanged, summed where an input was broadcast.
    Pass,
    /// It moves by the adjoint of the unit: with the data, or as a gradient.
    Adjoint,
}

impl Treatment {
    /// Whether it gives any relevance to an operand.
    pub fn reaches(&self, operand: usize) -> bool {
        !matches!(self, Self::Ratio(ratio) if ratio.first_only && operand > 0)
    }
}

/// `R_x = share · Σ_b x_b ⊙ J_bᵀ s` with `s` = `R` over the stabilised `z = Σ_b f(x_b; θ_b)`.
#[derive(Debug, Clone, PartialEq)]
pub struct Ratio {
    /// The forms of the unit that are added up.
    pub branches: Vec<Branch>,
    /// How `R` is divided by `z`.
    pub stabiliser: Stabiliser,
    /// The part of the relevance that each operand gets.
    pub share: f64,
    /// Whether only the first operand gets any.
    pub first_only: bool,
}

/// A unit with its inputs and parameters modified.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Branch {
    /// What is done to inputs.
    pub input: Modifier,
    /// What is done to weights.
    pub weight: Modifier,
    /// What is done to the bias; `None` leaves it out.
    pub bias: Option<Modifier>,
}

impl Branch {
    /// The unit itself.
    pub const PLAIN: Self = Self::of(Modifier::IDENTITY, Modifier::IDENTITY);

    /// A unit with its inputs, and its weights and bias, modified.
    pub const fn of(input: Modifier, parameters: Modifier) -> Self {
        Self { input, weight: parameters, bias: Some(parameters) }
    }
}

/// A function that is applied to inputs or parameters.
#[derive(Clone, Copy)]
pub struct Modifier {
    name: &'static str,
    apply: for<'e> fn(Expr<'e>) -> Expr<'e>,
}

impl Modifier {
    /// v
    pub const IDENTITY: Self = Self::new("identity", |v| v);
    /// |v|
    pub const ABSOLUTE: Self = Self::new("absolute", |v| v.abs());
    /// max(v, 0)
    pub const POSITIVE: Self = Self::new("positive", |v| v.relu());

    /// A modifier; its name tells it from others.
    pub const fn new(name: &'static str, apply: for<'e> fn(Expr<'e>) -> Expr<'e>) -> Self {
        Self { name, apply }
    }

    /// The modified value.
    pub fn apply(self, value: Expr<'_>) -> Expr<'_> {
        (self.apply)(value)
    }
}

impl PartialEq for Modifier {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl std::fmt::Debug for Modifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// How a relevance is divided by what it is the relevance of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Stabiliser {
    /// `R · sign(z) / (z + ε)` with `sign(0) = 0`: the notebook's. Where `z = −ε` it gives 0.
    SignOver(f64),
    /// `R / (z + ε · sign(z))` with `sign(0) = 1`: the usual one (Montavon et al. 2019, eq. 10.2).
    Signed(f64),
}

/// The largest quotient where the denominator can vanish: what the next layers make of it stays
/// finite in float32.
const SATURATION: f64 = 1e30;

impl Stabiliser {
    /// `R` divided by `z`.
    pub fn divide<'e>(self, r: Expr<'e>, z: Expr<'e>) -> Expr<'e> {
        match self {
            Self::SignOver(_) if z.is_non_negative() => r * z.sign() / self.denominator(z),
            // Where z can vanish, what is divided by it multiplies from layer to layer, and would
            // overflow.
            Self::SignOver(_) => (r * z.sign() / self.denominator(z)).saturate(SATURATION),
            Self::Signed(_) => r / self.denominator(z),
        }
    }

    /// `z ⊙` [`Stabiliser::divide`]: where the sign is a factor, `z · sign(z) = |z|`.
    pub fn share<'e>(self, r: Expr<'e>, z: Expr<'e>) -> Expr<'e> {
        let numerator = match self {
            Self::SignOver(_) if !z.is_non_negative() => z.abs(),
            _ => z,
        };
        // The quotient first: it is at most 1, so that nothing overflows.
        r * (numerator / self.denominator(z))
    }

    fn denominator(self, z: Expr<'_>) -> Expr<'_> {
        match self {
            Self::SignOver(epsilon) => {
                let denominator = z + epsilon;
                if z.is_non_negative() {
                    return denominator;
                }
                // The formula has a pole at z = −ε, which a finite input can hit.
                let regular = denominator.cast(crate::onnx::DataType::Bool);
                denominator.where_or(regular, f64::from(f32::MAX))
            }
            Self::Signed(epsilon) => {
                let negative = (-z).greater(0.0);
                (z - epsilon).where_(negative, z + epsilon)
            }
        }
    }
}

/// A rule chosen by name, with its options.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Choice {
    name: String,
    options: BTreeMap<String, f64>,
}

impl Default for Choice {
    fn default() -> Self {
        Self { name: ALL[0].name().into(), options: BTreeMap::new() }
    }
}

impl Choice {
    fn rule(&self) -> &'static dyn Rule {
        // A choice is only ever made of a rule's own name; the default stands first.
        ALL.iter().copied().find(|rule| rule.name() == self.name).unwrap_or(ALL[0])
    }

    /// What the rule does at a kind of unit.
    pub fn treatment(&self, kind: Kind) -> Treatment {
        let rule = self.rule();
        let default = |name: &str| {
            rule.options().iter().find(|(known, ..)| *known == name).map_or(0.0, |o| o.1)
        };
        let option = |name: &str| self.options.get(name).copied().unwrap_or_else(|| default(name));
        rule.treatment(kind, &option)
    }
}

impl std::fmt::Display for Choice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name)?;
        for (i, (key, value)) in self.options.iter().enumerate() {
            write!(f, "{}{key}={value:e}", if i == 0 { ':' } else { ',' })?;
        }
        Ok(())
    }
}

impl From<Choice> for String {
    fn from(choice: Choice) -> Self {
        choice.to_string()
    }
}

impl TryFrom<String> for Choice {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl std::str::FromStr for Choice {
    type Err = String;

    /// Reads `NAME` or `NAME:key=value,key=value`.
    fn from_str(text: &str) -> Result<Self, String> {
        let (name, options) = text.split_once(':').unwrap_or((text, ""));
        let Some(rule) = ALL.iter().find(|rule| rule.name() == name) else {
            let known: Vec<_> = ALL.iter().map(|rule| rule.name()).collect();
            return Err(format!("there is no rule '{name}'; known are {}", known.join(", ")));
        };
        let mut chosen = BTreeMap::new();
        for option in options.split(',').filter(|option| !option.is_empty()) {
            let (key, value) = option.split_once('=').unwrap_or((option, ""));
            let Some(&(key, ..)) = rule.options().iter().find(|(known, ..)| *known == key) else {
                let known: Vec<_> = rule.options().iter().map(|(known, ..)| *known).collect();
                let known = if known.is_empty() { "none".into() } else { known.join(", ") };
                return Err(format!("the rule {name} has no option '{key}'; it has {known}"));
            };
            let number = value.parse::<f64>().ok().filter(|v| v.is_finite() && *v >= 0.0);
            let number =
                number.ok_or_else(|| format!("'{value}' is no value for the option {key}"))?;
            chosen.insert(key.to_string(), number);
        }
        Ok(Self { name: name.into(), options: chosen })
    }
}
