//! What can be wrong with the graph of a decodable model.

use crate::{ir, onnx::shown::Shown};

/// What can be wrong with the graph of a decodable model.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A node reads a value that nothing produces, or only a later node in a circle with it.
    #[error(
        "node '{}' ({}, opset {opset}): its input '{}' is produced {how}; the \
         model is invalid: check it with `onnx.checker.check_model`",
        Shown(node),
        Shown(operator),
        Shown(input)
    )]
    Dangling {
        /// The node.
        node: String,
        /// Its operator.
        operator: String,
        /// The imported operator set.
        opset: i64,
        /// The name it reads.
        input: String,
        /// By nothing, or in a cycle.
        how: &'static str,
    },
    /// A name is given twice, or to nothing.
    #[error(
        "the value '{}' {what}; the model is invalid: check it with `onnx.checker.check_model`",
        Shown(name)
    )]
    Value {
        /// The name.
        name: String,
        /// What is wrong with it.
        what: String,
    },
    /// Subgraphs lie in subgraphs, too deep.
    #[error("node '{node}': its subgraphs lie more than {limit} deep, which is more than is read")]
    Depth {
        /// The node.
        node: String,
        /// How deep they may lie.
        limit: usize,
    },
    /// A node contradicts its operator's definition.
    #[error("node '{}' ({}, opset {opset}): {source}", Shown(node), Shown(operator))]
    Node {
        /// The node.
        node: String,
        /// Its operator.
        operator: String,
        /// The imported operator set.
        opset: i64,
        /// What is wrong.
        source: ir::Error,
    },
}
