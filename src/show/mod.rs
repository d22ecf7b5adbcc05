//! Maps to look at.

pub mod heat;
