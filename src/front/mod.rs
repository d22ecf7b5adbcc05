//! From messages to a graph: names become edges, and bodies stand before their calls.

mod error;
pub mod fused;
mod import;
mod inline;

pub use error::Error;
pub use fused::NAMES as FUSED;
pub use import::import;
pub use inline::Body;
