//! What to explain, and how.

mod select;
mod setting;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use select::{Cut, Select};
pub use setting::Setting;

pub use crate::rules::{Init, Normalize};
use crate::{
    ParseError,
    rules::{Choice, Composite},
};

/// What to explain, and how. Fields will be added, with defaults that change nothing: write
/// `Options { rule, ..Options::default() }`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a choice of its own")]
pub struct Options {
    /// The rule.
    pub rule: Choice,
    /// Rules for different units, in place of one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub composite: Option<Composite>,
    /// What is taken for a unit.
    #[serde(skip_serializing_if = "is_default")]
    pub canonize: Canonize,
    /// Inputs that are taken for constants.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub set: Vec<Setting>,
    /// The explained tensor; the first graph output by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
    /// Whether an output that a softmax or sigmoid at the very end makes is explained itself, not what was
    /// before that.
    #[serde(skip_serializing_if = "is_default")]
    pub after_softmax: bool,
    /// The part of the explained tensor that counts; all of it by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub select: Option<Select>,
    /// The class or classes that are explained.
    pub target: Target,
    /// The axis that classes lie along; 1 by default, the last where there are fewer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class_axis: Option<i64>,
    /// The relevance that the target starts with.
    pub init: Init,
    /// Whether the relevance of the other classes is subtracted.
    #[serde(skip_serializing_if = "is_default")]
    pub contrastive: bool,
    /// What maps are divided by.
    #[serde(skip_serializing_if = "is_default")]
    pub normalize: Normalize,
    /// What maps are summed over.
    #[serde(skip_serializing_if = "is_default")]
    pub reduce: Reduce,
    /// Intermediate tensors whose relevance is an output too.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub relevance_of: Vec<String>,
    /// Where relevance ends, for coarse maps; at the inputs by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub map_at: Option<MapAt>,
    /// Whether relevance is computed only where a graph input `explain` (a bool) asks for it; it is empty elsewhere.
    #[serde(skip_serializing_if = "is_default")]
    pub on_demand: bool,
    /// What to do where there is no rule.
    pub on_unsupported: OnUnsupported,
    /// The optimisation level.
    pub level: Level,
    /// The passes, where they are not those of the level.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub passes: Option<Selection>,
    /// Whether twins of weights are written as initializers.
    #[serde(skip_serializing_if = "is_default")]
    pub bake_twins: bool,
}

impl Options {
    /// The rule or composite, as text.
    pub fn rule_text(&self) -> String {
        self.composite.as_ref().map_or_else(|| self.rule.to_string(), |c| c.name.clone())
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// What is taken for a unit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Canonize {
    /// What a framework calls a layer, however it is written.
    #[default]
    Units,
    /// Every node by itself.
    None,
}

/// What maps are summed over.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Reduce {
    /// Nothing.
    #[default]
    None,
    /// Axis 1.
    Channels,
}

/// The class or classes that are explained.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
#[non_exhaustive]
pub enum Target {
    /// Every class at once.
    #[default]
    All,
    /// The class with the largest score, per sample.
    Argmax,
    /// The largest element, per sample, whatever its place.
    Max,
    /// One class.
    Index(i64),
    /// Several classes, each with a map of its own.
    Indices(Vec<i64>),
    /// The class that the graph input `target` names, per sample.
    Input,
    /// The classes that the graph input `target` names, this many per sample, each with a map of its
    /// own.
    Inputs(usize),
}

impl Target {
    /// How many maps there are of a sample, if there is an axis for them.
    pub fn maps(&self) -> Option<usize> {
        match self {
            Self::Indices(indices) => Some(indices.len()),
            Self::Inputs(count) => Some(*count),
            _ => None,
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Argmax => f.write_str("argmax"),
            Self::Max => f.write_str("max"),
            Self::Index(index) => write!(f, "{index}"),
            Self::Indices(indices) => {
                f.write_str(&indices.iter().map(i64::to_string).collect::<Vec<_>>().join(","))
            }
            Self::Input => f.write_str("input"),
            Self::Inputs(count) => write!(f, "input:{count}"),
        }
    }
}

/// How many maps of a sample there may be: each takes a sweep's memory when the model runs.
const MAPS: usize = 1024;

impl std::str::FromStr for Target {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<Self, ParseError> {
        match (text, text.parse()) {
            ("all", _) => Ok(Self::All),
            ("argmax", _) => Ok(Self::Argmax),
            ("max", _) => Ok(Self::Max),
            ("input", _) => Ok(Self::Input),
            (_, Ok(index)) if index >= 0 => Ok(Self::Index(index)),
            _ => {
                let count = text.strip_prefix("input:").and_then(|count| count.parse().ok());
                let list: Option<Vec<i64>> = text.split(',').map(|i| i.parse().ok()).collect();
                match (count, list) {
                    (Some(count @ 1..=MAPS), _) => Ok(Self::Inputs(count)),
                    (_, Some(list)) if list.len() > MAPS => {
                        Err(format!("{} classes are too many: at most {MAPS}", list.len()).into())
                    }
                    (_, Some(list)) if list.iter().all(|i| *i >= 0) => Ok(Self::Indices(list)),
                    _ => Err(format!(
                        "'{text}' is none of all, argmax, max, input, input:COUNT, or class indices from 0"
                    ).into()),
                }
            }
        }
    }
}

impl From<Target> for String {
    fn from(target: Target) -> Self {
        target.to_string()
    }
}

impl TryFrom<String> for Target {
    type Error = ParseError;
    fn try_from(text: String) -> Result<Self, ParseError> {
        text.parse()
    }
}

/// Where relevance ends whose map is coarse: that of an intermediate tensor, summed over channels and stretched to
/// the size of the input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
#[non_exhaustive]
pub enum MapAt {
    /// At this tensor.
    Name(String),
    /// At the last tensor that all relevance passes and that has at least as many rows and columns.
    Size(usize),
}

impl std::str::FromStr for MapAt {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        match text.parse() {
            Ok(0) => Err(String::from("a map has at least one row and column").into()),
            Ok(size) => Ok(Self::Size(size)),
            Err(_) => Ok(Self::Name(text.into())),
        }
    }
}

impl From<MapAt> for String {
    fn from(at: MapAt) -> Self {
        match at {
            MapAt::Name(name) => name,
            MapAt::Size(size) => size.to_string(),
        }
    }
}

impl TryFrom<String> for MapAt {
    type Error = ParseError;

    fn try_from(text: String) -> Result<Self, ParseError> {
        text.parse()
    }
}

/// What to do where there is no rule.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum OnUnsupported {
    /// Refuse.
    #[default]
    Error,
    /// Cut relevance there, and say so.
    Stop,
}

/// How much is done to make an explanation cheap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[non_exhaustive]
pub enum Level {
    /// The formulas to the letter: the readable form, and the reference.
    #[cfg_attr(feature = "cli", value(name = "0", alias = "O0"))]
    O0,
    /// Everything that means the same.
    #[default]
    #[cfg_attr(feature = "cli", value(name = "2", alias = "O2"))]
    O2,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::O0 => "-O0",
            Self::O2 => "-O2",
        })
    }
}

/// A choice of passes, by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
#[non_exhaustive]
pub enum Selection {
    /// These, and no others.
    Only(Vec<String>),
    /// Those of the level without these.
    Without(Vec<String>),
}

impl std::str::FromStr for Selection {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let words: Vec<_> = text.split(',').filter(|word| !word.is_empty()).collect();
        let without = words.iter().filter(|word| word.starts_with('-')).count();
        if without > 0 && without < words.len() {
            let what = "either all names have a - before them, or none has";
            return Err(String::from(what).into());
        }
        let names = words.iter().map(|word| word.trim_start_matches('-').into()).collect();
        Ok(if without > 0 { Self::Without(names) } else { Self::Only(names) })
    }
}

impl TryFrom<String> for Selection {
    type Error = ParseError;

    fn try_from(text: String) -> Result<Self, ParseError> {
        text.parse()
    }
}

impl From<Selection> for String {
    fn from(selection: Selection) -> Self {
        match selection {
            Selection::Only(names) => names.join(","),
            Selection::Without(names) => {
                names.iter().map(|name| format!("-{name}")).collect::<Vec<_>>().join(",")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_read_and_written() {
        for (text, target) in [
            ("all", Target::All),
            ("argmax", Target::Argmax),
            ("input", Target::Input),
            ("0", Target::Index(0)),
            ("999", Target::Index(999)),
            ("0,1", Target::Indices(vec![0, 1])),
            ("2,0,2", Target::Indices(vec![2, 0, 2])),
            ("input:1", Target::Inputs(1)),
            ("input:1024", Target::Inputs(1024)),
        ] {
            assert_eq!(text.parse(), Ok(target.clone()), "{text}");
            assert_eq!(target.to_string(), text);
        }
    }

    #[test]
    fn what_is_no_target_is_refused() {
        for text in [
            "",
            "All",
            "-1",
            "0,-1",
            "0,",
            ",0",
            "0;1",
            "1.5",
            "min",
            "input:",
            "input:0",
            "input:-1",
            "input:1025",
            "9223372036854775808",
        ] {
            assert!(text.parse::<Target>().is_err(), "'{text}'");
        }
    }
}
