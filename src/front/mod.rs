//! From messages to a graph: names become edges, and bodies stand before their calls.

pub mod contrib;
mod error;
mod functions;
mod import;

pub use error::Error;
pub use import::import;
