//! What is known of a model: a petgraph `DiGraph` whose index order is execution order.
//!
//! Source nodes come first, in the order of the file (or, where a file is not sorted, in the
//! nearest order that is); what the compiler emits follows. The graph is append-only: nothing is
//! removed or re-pointed, and a pass that wants a smaller graph builds a fresh one. A value is a
//! node and an output slot; an edge carries the slots at both of its ends, so that `x·x` is two
//! edges and operands keep their places.
//!
//! A subgraph, such as a branch of an `If`, is a graph of its own and a child of its node. It reads
//! nothing but its inputs, its constants, and what its node hands in: names from around it are inputs
//! of the node behind the declared ones. So a pass over the outer graph sees what a subgraph needs
//! without looking inside, and moves it without touching it.
//!
//! Everything known about a value — element type, shape, elements if they are few, whether it
//! depends on an input, whether it can be negative — is inferred once, when its node is appended.
//! What an operator has to say for that is the trait [`Operator`].

mod array;
mod attributes;
pub mod build;
mod call;
mod error;
mod evaluate;
mod graph;
mod linear;
mod node;
mod node_ref;
mod operator;
mod rebuild;
mod runs;
mod types;

pub use array::Array;
pub use attributes::Attributes;
pub use build::{Emitter, Expr, Lowering, subgraph::Along};
pub use call::{Call, Group};
pub use error::Error;
pub use evaluate::{Evaluation, Evaluator};
pub use graph::Graph;
pub(crate) use graph::Step;
pub use linear::{Affine, Constants, Linear};
pub use node::{Child, Emitted, Facts, Feeds, Origin, Value};
pub use node_ref::{NodeRef, axis};
pub use operator::{Detached, Euler, Kind, Operator, Registry, Role, Sign};
pub use rebuild::Verdict;
pub use runs::{Past, Runs, Scanned, Stacked, State, Steps};
pub use types::{Dim, Type, broadcast};

pub use petgraph::graph::NodeIndex;
