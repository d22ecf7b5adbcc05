//! Passes: what a level does to rules before they are emitted, and to the graph after.
//!
//! Every pass has a name, a reason and a file. A level is a list of passes; `-O0` only leaves out what nothing needs.

mod common_subexpressions;
mod dead_nodes;
mod idle_branches;
mod twin_folding;

use crate::{
    graph::{Graph, Value},
    rules::Ratio,
};

/// An optimisation. It acts where it overrides a method; the others leave things as they are.
pub trait Pass: Sync {
    /// Its name.
    fn name(&self) -> &'static str;

    /// Rewrites what is emitted for a unit; `non_negative` says that its inputs are known not to be.
    fn ratio(&self, ratio: Ratio, _non_negative: bool) -> Ratio {
        ratio
    }

    /// Builds a smaller graph with the same outputs.
    fn graph(&self, graph: &Graph, outputs: &[Value]) -> (Graph, Vec<Value>) {
        (graph.clone(), outputs.to_vec())
    }
}

/// How much is done to make an explanation cheap.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Default,
    serde::Serialize,
    serde::Deserialize,
    clap::ValueEnum,
)]
pub enum Level {
    /// The formulas to the letter: the readable form, and the reference.
    #[value(name = "0", alias = "O0")]
    O0,
    /// Everything that means the same.
    #[default]
    #[value(name = "2", alias = "O2")]
    O2,
}

impl Level {
    /// The passes of the level, in order.
    pub fn passes(self) -> &'static [&'static dyn Pass] {
        match self {
            Self::O0 => &[&dead_nodes::DeadNodes],
            Self::O2 => &[
                &idle_branches::IdleBranches,
                &twin_folding::TwinFolding,
                &common_subexpressions::CommonSubexpressions,
                &dead_nodes::DeadNodes,
            ],
        }
    }
}

impl std::fmt::Display for Level {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::O0 => "-O0",
            Self::O2 => "-O2",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        graph::{Emitter, Origin},
        onnx::Model,
    };

    /// A builder behind a graph of one `Relu`, and the input of that.
    pub fn relu() -> (Emitter, Value) {
        let model = Model::open("fixtures/forms/relu.op17.onnx").unwrap();
        let graph = Graph::new(&model).unwrap();
        (Emitter::new(&graph), graph.by_name("x").unwrap())
    }

    /// The operators that were emitted, in order.
    pub fn added(graph: &Graph) -> Vec<&str> {
        let emitted = graph.nodes().filter_map(|node| match graph.origin(node) {
            Origin::New(emitted) => Some(&*emitted.op_type),
            _ => None,
        });
        emitted.collect()
    }
}
