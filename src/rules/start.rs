//! How relevance starts, and what maps end as.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How a rule wants relevance to start, where that is part of it; by default, as the options say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Start {
    /// What the target starts with.
    pub init: Option<Init>,
    /// Whether the other classes start with as much in all, which is subtracted: such a rule is about
    /// one class.
    pub contrast: bool,
    /// What maps are divided by.
    pub normalize: Option<Normalize>,
}

/// The relevance that the target starts with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Init {
    /// Its value.
    #[default]
    Value,
    /// The magnitude of its value.
    Abs,
    /// 1.
    One,
    /// The gradient of its softmax score: p (1 − p) for the target and −p qⱼ for each other class (SGLRP,
    /// Iwana et al. 2019).
    Softmax,
}

impl fmt::Display for Init {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Value => "value",
            Self::Abs => "abs",
            Self::One => "one",
            Self::Softmax => "softmax",
        })
    }
}

/// What maps are divided by, per sample.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Normalize {
    /// Nothing.
    #[default]
    None,
    /// Σ |R|
    Sum,
    /// max |R|
    Max,
}
