//! From messages to a graph: names become edges.
//!
//! [`import`] puts nodes in order of execution, finds what is wrong with them, and infers what can be
//! known of each value, in subgraphs too. What is a function of other operators is appended as those,
//! before the node itself: model-local functions, branches that are known to be taken, and
//! [contrib operators](contrib).

mod computed;
pub mod contrib;
mod embeddings;
mod error;
mod functions;
mod import;
mod masks;
mod quantised;
mod select;
mod set;
#[cfg(test)]
mod tests;

pub use error::Error;
pub use import::{import, import_set};
pub use select::part;
pub use set::set;
