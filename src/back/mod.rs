//! From a graph to what is written behind its source, with the record of how it came about.

mod export;
mod names;
mod on_demand;
mod record;
mod runtimes;
#[cfg(test)]
#[cfg(feature = "verify")]
mod tests;

pub use export::{Output, addition};
pub use on_demand::{EXPLAIN, on_demand, within};
pub(crate) use record::record;
pub use record::{IllConditioned, Record, Summary, source_of};
pub(crate) use runtimes::portability;
pub use runtimes::{Limit, Portability, RUNTIMES, Runtime};
