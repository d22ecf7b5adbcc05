//! What can be wrong with a use of an operator.

use crate::onnx::shown::{Said, Shown};

/// What can be wrong with a use of an operator, or be missing to differentiate it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An attribute is not what the operator's definition says.
    #[error(
        "attribute '{}' {}; the model is invalid: check it with `onnx.checker.check_model`",
        Shown(name),
        Said(what)
    )]
    Attribute {
        /// The attribute.
        name: String,
        /// What is wrong.
        what: String,
    },
    /// An operand is not what the operator's definition says.
    #[error(
        "operand {operand} {}; the model is invalid: check it with `onnx.checker.check_model`",
        Said(what)
    )]
    Operand {
        /// Its place.
        operand: usize,
        /// What is wrong.
        what: String,
    },
    /// Shapes or types contradict each other.
    #[error(
        "{}; the model is invalid: check it with `onnx.shape_inference.infer_shapes(model, strict_mode=True)`",
        Said(what)
    )]
    Shapes {
        /// The contradiction.
        what: String,
    },
    /// Something that has to be known at compile time is not.
    #[error(
        "{} is not known; fix it in the file, with \
         `onnxruntime.tools.symbolic_shape_infer` or by exporting with static sizes",
        Said(what)
    )]
    Unknown {
        /// What.
        what: String,
    },
    /// The source's operator set has no way to write it.
    #[error(
        "{what} takes opset {since}; convert the model with \
         `onnx.version_converter.convert_version(model, {since})`"
    )]
    Opset {
        /// What.
        what: &'static str,
        /// The operator set that has it.
        since: i64,
    },
    /// What is wrong with a node of a subgraph.
    #[error("at '{}' ({}) within it: {source}", Shown(node), Shown(operator))]
    Within {
        /// The node.
        node: String,
        /// Its operator.
        operator: String,
        /// What is wrong.
        source: Box<Error>,
    },
    /// A form of the operator that has no rule.
    #[error("{} cannot be explained", Said(what))]
    Unsupported {
        /// The form.
        what: String,
    },
}

impl Error {
    /// A formula uses what was computed in a subgraph outside of it.
    pub(super) fn outside() -> Self {
        Self::Unsupported { what: "a value of a subgraph, outside of it,".into() }
    }

    /// Whether the model is wrong, and not merely more than is known or can be written.
    pub fn is_invalid(&self) -> bool {
        match self {
            Self::Within { source, .. } => source.is_invalid(),
            _ => {
                matches!(self, Self::Attribute { .. } | Self::Operand { .. } | Self::Shapes { .. })
            }
        }
    }
}
