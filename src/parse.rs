//! What can be wrong with the text of an option.

/// A text that says no rule, target, selection or input.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct ParseError {
    what: String,
}

impl From<String> for ParseError {
    fn from(what: String) -> Self {
        Self { what }
    }
}
