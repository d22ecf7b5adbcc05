//! What can keep a graph from being explained.

use crate::{
    front,
    ir::{self, Graph, NodeIndex},
    onnx::shown::{Said, Shown},
};
pub use crate::{front::Error as GraphError, ir::Error as OperatorError};

/// A node and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("node '{}' ({}, opset {opset}): {source}", Shown(node), Shown(operator))]
pub struct Problem {
    /// The node.
    pub node: String,
    /// Its operator.
    pub operator: String,
    /// The imported operator set.
    pub opset: i64,
    /// What is wrong.
    pub source: ir::Error,
}

impl Problem {
    pub(super) fn new(graph: &Graph, node: NodeIndex, source: ir::Error) -> Self {
        Self {
            node: graph.label(node).into(),
            operator: graph.node(node).operator_name(),
            opset: graph.opset(),
            source,
        }
    }
}

/// What could be said otherwise, so that an error does not come again. Whoever took the options knows
/// how they are said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Hint {
    /// [`Options::output`](crate::Options::output).
    Output,
    /// [`Options::target`](crate::Options::target).
    Target,
    /// [`Options::class_axis`](crate::Options::class_axis).
    ClassAxis,
    /// [`Options::relevance_of`](crate::Options::relevance_of).
    RelevanceOf,
    /// [`Options::map_at`](crate::Options::map_at).
    MapAt,
    /// [`Options::on_unsupported`](crate::Options::on_unsupported).
    OnUnsupported,
    /// Where ONNX Runtime is.
    Library,
    /// Where a model runs.
    Device,
    /// What a model runs on.
    Inputs,
    /// The source of an explained model.
    Source,
    /// Whether the model is an explained one.
    Explained,
}

/// What can keep a graph from being explained.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The graph is not valid.
    #[error(transparent)]
    Graph(#[from] front::Error),
    /// The graph has no output.
    #[error("the graph has no output to explain")]
    NoOutput,
    /// A name in the options is no tensor of the graph.
    #[error("there is no tensor '{}'; there is {}", Shown(name), Shown(candidates))]
    NoSuchTensor {
        /// The option.
        option: Hint,
        /// The name.
        name: String,
        /// What could have been meant.
        candidates: String,
    },
    /// Integers cannot be explained.
    #[error("'{}' holds no floating-point numbers; these do: {}", Shown(name), Shown(candidates))]
    NotFloating {
        /// The tensor.
        name: String,
        /// The outputs that can be explained.
        candidates: String,
    },
    /// There is nothing in what is explained.
    #[error("'{}' has no elements, so that there is nothing to explain", Shown(name))]
    Empty {
        /// The tensor.
        name: String,
    },
    /// The class does not exist.
    #[error("there is no class {index}: there are only {count}, counted from 0")]
    NoSuchClass {
        /// The class.
        index: i64,
        /// How many there are.
        count: i64,
    },
    /// Targets are per sample, and classes lie along the samples' axis.
    #[error("one class is named per sample, but axis {axis} is the axis of the samples")]
    TargetPerSample {
        /// The axis.
        axis: usize,
    },
    /// What is asked for is about one class.
    #[error("{what} is about one class at a time")]
    NeedsTarget {
        /// What is asked for.
        what: String,
    },
    /// What is set is no input, or not what is set.
    #[error("'{}' cannot be set to {values}: {what}", Shown(name))]
    Setting {
        /// What was to be set.
        name: String,
        /// What to.
        values: String,
        /// Why not.
        what: String,
    },
    /// No tensor makes a coarse map of that size.
    #[error("no tensor that all relevance passes has a map of {size} × {size} or more")]
    NoMapOfSize {
        /// The rows and columns that were asked for.
        size: usize,
    },
    /// A tensor that makes no coarse map.
    #[error(
        "'{}', {ty}, lies over no input: a map is made of what has the axes of an input, or of tokens that are its \
         patches",
        Shown(name)
    )]
    NoMapAt {
        /// The tensor.
        name: String,
        /// Its type.
        ty: String,
    },
    /// A pass that does not exist.
    #[error("there is no pass '{name}'; there is {known}")]
    NoSuchPass {
        /// Its name.
        name: String,
        /// Those there are.
        known: String,
    },
    /// A match of a composite fits no unit.
    #[error("the match '{}' of the composite fits no layer; there is {}", Shown(what), Shown(near))]
    NoMatch {
        /// The match.
        what: String,
        /// What it might have meant.
        near: String,
    },
    /// The target cannot be selected.
    #[error("the explained tensor '{}': {source}", Shown(name))]
    Target {
        /// The tensor.
        name: String,
        /// Why not.
        source: ir::Error,
    },
    /// A name that is to be added is there already.
    #[error(
        "the name '{}' is taken: the model may be explained already; compile the original",
        Shown(name)
    )]
    NameTaken {
        /// The name.
        name: String,
    },
    /// A node in the way has no rule.
    #[error("{first}{}", if *more == 0 { String::new() } else { format!(" (and {more} more)") })]
    Unsupported {
        /// The first.
        first: Problem,
        /// How many more there are.
        more: usize,
    },
    /// Relevance cannot cross a unit.
    #[error(transparent)]
    Unit(Problem),
    /// What was emitted is no valid model, which the source is: nothing is written.
    #[error(
        "what would have been written is invalid, which is a fault of abslrp and not of the model: {}; please \
         report it with the model",
        Said(what)
    )]
    Internal {
        /// What is wrong, with the unit that it was emitted for.
        what: String,
    },
    /// Nothing to emit.
    #[error("no relevance of '{}' reaches an input: {}", Shown(name), Said(places))]
    Unreachable {
        /// The explained tensor.
        name: String,
        /// Where it ends.
        places: String,
    },
    /// A value gets no relevance.
    #[error(
        "no relevance reaches the tensor '{}' as such: it depends on no input, does not lead to \
         the explained tensor, or lies within a layer",
        Shown(name)
    )]
    NoRelevance {
        /// The tensor.
        name: String,
    },
}

impl Error {
    /// What could be said otherwise.
    pub fn hint(&self) -> Option<Hint> {
        Some(match self {
            Self::NoOutput
            | Self::NotFloating { .. }
            | Self::Empty { .. }
            | Self::Unreachable { .. } => Hint::Output,
            Self::NoSuchTensor { option, .. } => *option,
            Self::NoSuchClass { .. } | Self::NeedsTarget { .. } => Hint::Target,
            Self::TargetPerSample { .. } => Hint::ClassAxis,
            Self::NoRelevance { .. } => Hint::RelevanceOf,
            Self::NoMapOfSize { .. } | Self::NoMapAt { .. } => Hint::MapAt,
            Self::Unsupported { .. } => Hint::OnUnsupported,
            _ => return None,
        })
    }
}
