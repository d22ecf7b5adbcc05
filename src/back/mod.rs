//! From a graph to what is written behind its source, with the record of how it came about.

mod export;
mod names;
mod record;
#[cfg(test)]
#[cfg(feature = "verify")]
mod tests;

pub use export::{Output, addition};
pub(crate) use record::record;
pub use record::{IllConditioned, Record, Summary, source_of};
