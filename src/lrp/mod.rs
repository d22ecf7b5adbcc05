//! From a graph to its explanation: target, units, plan, sweep.

pub mod balance;
mod maps;
mod metadata;
mod patterns;
mod plan;
mod sweep;
mod target;
mod units;

use std::{fmt, path::PathBuf};

pub use metadata::{Record, source_of};
pub use plan::{Plan, Planned};
pub use target::Explained;
pub use units::Unit;

use prost::Message;

use crate::{
    graph::{self, Emitter, Graph, NodeIndex, Output, Style},
    onnx::{Addition, Model},
    ops, passes,
    passes::{Level, Pass, Selection},
    rules::{Choice, Composite},
};

/// What to explain, and how.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Options {
    /// The rule.
    pub rule: Choice,
    /// Rules for different units, in place of one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub composite: Option<Composite>,
    /// What is taken for a unit.
    #[serde(skip_serializing_if = "is_default")]
    pub canonize: Canonize,
    /// The explained tensor; the first graph output by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
    /// The class or classes that are explained.
    pub target: Target,
    /// The axis that classes lie along; 1 by default, the last where there are fewer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class_axis: Option<i64>,
    /// The relevance that the target starts with.
    pub init: Init,
    /// Whether the relevance of the other classes is subtracted.
    #[serde(skip_serializing_if = "is_default")]
    pub contrastive: bool,
    /// What maps are divided by.
    #[serde(skip_serializing_if = "is_default")]
    pub normalize: Normalize,
    /// What maps are summed over.
    #[serde(skip_serializing_if = "is_default")]
    pub reduce: Reduce,
    /// Intermediate tensors whose relevance is an output too.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub relevance_of: Vec<String>,
    /// What to do where there is no rule.
    pub on_unsupported: OnUnsupported,
    /// The optimisation level.
    pub level: Level,
    /// The passes, where they are not those of the level.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub passes: Option<Selection>,
    /// Whether twins of weights are written as initializers.
    #[serde(skip_serializing_if = "is_default")]
    pub bake_twins: bool,
}

impl Options {
    /// The passes, in order.
    pub fn passes(&self) -> impl Iterator<Item = &'static dyn Pass> {
        passes::selected(self.level, self.passes.as_ref(), self.bake_twins)
    }

    /// A builder behind a graph, in the style of the passes.
    fn emitter(&self, graph: &Graph) -> Emitter {
        let mut style = Style::default();
        self.passes().for_each(|pass| pass.style(&mut style));
        Emitter::styled(graph, style)
    }

    /// The rule or composite, as text.
    pub fn rule_text(&self) -> String {
        self.composite.as_ref().map_or_else(|| self.rule.to_string(), |c| c.name.clone())
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// What is taken for a unit.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    serde::Serialize,
    serde::Deserialize,
    clap::ValueEnum,
)]
#[serde(rename_all = "lowercase")]
pub enum Canonize {
    /// What a framework calls a layer, however it is written.
    #[default]
    Units,
    /// Every node by itself.
    None,
}

/// What maps are divided by, per sample.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    serde::Serialize,
    serde::Deserialize,
    clap::ValueEnum,
)]
#[serde(rename_all = "lowercase")]
pub enum Normalize {
    /// Nothing.
    #[default]
    None,
    /// Σ |R|
    Sum,
    /// max |R|
    Max,
}

/// What maps are summed over.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    serde::Serialize,
    serde::Deserialize,
    clap::ValueEnum,
)]
#[serde(rename_all = "lowercase")]
pub enum Reduce {
    /// Nothing.
    #[default]
    None,
    /// Axis 1.
    Channels,
}

/// The class or classes that are explained.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Target {
    /// Every class at once.
    #[default]
    All,
    /// The class with the largest score, per sample.
    Argmax,
    /// One class.
    Index(i64),
    /// Several classes, each with a map of its own.
    Indices(Vec<i64>),
    /// The class that the graph input `target` names, per sample.
    Input,
    /// The classes that the graph input `target` names, this many per sample, each with a map of its
    /// own.
    Inputs(usize),
}

impl Target {
    /// How many maps there are of a sample, if there is an axis for them.
    pub fn maps(&self) -> Option<usize> {
        match self {
            Self::Indices(indices) => Some(indices.len()),
            Self::Inputs(count) => Some(*count),
            _ => None,
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Argmax => f.write_str("argmax"),
            Self::Index(index) => write!(f, "{index}"),
            Self::Indices(indices) => {
                f.write_str(&indices.iter().map(i64::to_string).collect::<Vec<_>>().join(","))
            }
            Self::Input => f.write_str("input"),
            Self::Inputs(count) => write!(f, "input:{count}"),
        }
    }
}

impl std::str::FromStr for Target {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match (text, text.parse()) {
            ("all", _) => Ok(Self::All),
            ("argmax", _) => Ok(Self::Argmax),
            ("input", _) => Ok(Self::Input),
            (_, Ok(index)) if index >= 0 => Ok(Self::Index(index)),
            _ => {
                let count = text.strip_prefix("input:").and_then(|count| count.parse().ok());
                let list: Option<Vec<i64>> = text.split(',').map(|i| i.parse().ok()).collect();
                match (count, list) {
                    (Some(count @ 1..=1024), _) => Ok(Self::Inputs(count)),
                    (_, Some(list)) if list.iter().all(|i| *i >= 0) => Ok(Self::Indices(list)),
                    _ => Err(format!(
                        "'{text}' is none of all, argmax, input, input:COUNT, or class indices from 0"
                    )),
                }
            }
        }
    }
}

impl From<Target> for String {
    fn from(target: Target) -> Self {
        target.to_string()
    }
}

impl TryFrom<String> for Target {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

/// The relevance that the target starts with.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    serde::Serialize,
    serde::Deserialize,
    clap::ValueEnum,
)]
#[serde(rename_all = "lowercase")]
pub enum Init {
    /// Its value.
    #[default]
    Value,
    /// The magnitude of its value.
    Abs,
    /// 1.
    One,
    /// The gradient of its softmax score: p (1 − p) for the target and −p qⱼ for each other class (SGLRP,
    /// Iwana et al. 2019).
    Softmax,
}

impl fmt::Display for Init {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Value => "value",
            Self::Abs => "abs",
            Self::One => "one",
            Self::Softmax => "softmax",
        })
    }
}

/// What to do where there is no rule.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    serde::Serialize,
    serde::Deserialize,
    clap::ValueEnum,
)]
#[serde(rename_all = "lowercase")]
pub enum OnUnsupported {
    /// Refuse.
    #[default]
    Error,
    /// Cut relevance there, and say so.
    Stop,
}

/// A node and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("node '{node}' ({operator}, opset {opset}): {source}")]
pub struct Problem {
    /// The node.
    pub node: String,
    /// Its operator.
    pub operator: String,
    /// The imported operator set.
    pub opset: i64,
    /// What is wrong.
    pub source: ops::Error,
}

impl Problem {
    fn new(graph: &Graph, node: NodeIndex, source: ops::Error) -> Self {
        Self {
            node: graph.label(node).into(),
            operator: graph.view(node).operator_name(),
            opset: graph.opset(),
            source,
        }
    }
}

/// What can keep a graph from being explained.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The graph is not valid.
    #[error(transparent)]
    Graph(#[from] graph::Error),
    /// The graph has no output.
    #[error("the graph has no output to explain; name a tensor with --output")]
    NoOutput,
    /// A name on the command line is no tensor of the graph.
    #[error("{option}: there is no tensor '{name}'; there is {candidates}")]
    NoSuchTensor {
        /// The option.
        option: &'static str,
        /// The name.
        name: String,
        /// What could have been meant.
        candidates: String,
    },
    /// Integers cannot be explained.
    #[error(
        "'{name}' holds no floating-point numbers; choose a tensor that does with --output: {candidates}"
    )]
    NotFloating {
        /// The tensor.
        name: String,
        /// The outputs that can be explained.
        candidates: String,
    },
    /// The class does not exist.
    #[error("--target {index}: there are only {count} classes, counted from 0")]
    NoSuchClass {
        /// The class.
        index: i64,
        /// How many there are.
        count: i64,
    },
    /// Targets are per sample, and classes lie along the samples' axis.
    #[error(
        "--target input names one class per sample, but --class-axis {axis} is the axis of the samples"
    )]
    TargetPerSample {
        /// The axis.
        axis: usize,
    },
    /// What is asked for is about one class.
    #[error("{what} is about one class at a time: choose with --target argmax, an index, or input")]
    NeedsTarget {
        /// What is asked for.
        what: String,
    },
    /// A match of a composite fits no unit.
    #[error("the match '{what}' of the composite fits no layer; there is {near}")]
    NoMatch {
        /// The match.
        what: String,
        /// What it might have meant.
        near: String,
    },
    /// The target cannot be selected.
    #[error("the explained tensor '{name}': {source}")]
    Target {
        /// The tensor.
        name: String,
        /// Why not.
        source: ops::Error,
    },
    /// A name that is to be added is there already.
    #[error("the name '{name}' is taken: the model may be explained already; compile the original")]
    NameTaken {
        /// The name.
        name: String,
    },
    /// A node in the way has no rule.
    #[error("{first}{}", if *more == 0 { String::new() } else { format!(" (and {more} more: see `abslrp inspect`)") })]
    Unsupported {
        /// The first.
        first: Problem,
        /// How many more there are.
        more: usize,
    },
    /// Relevance cannot cross a unit.
    #[error(transparent)]
    Unit(Problem),
    /// Nothing to emit.
    #[error(
        "no relevance of '{name}' reaches an input: {places}; choose another tensor with --output"
    )]
    Unreachable {
        /// The explained tensor.
        name: String,
        /// Where it ends.
        places: String,
    },
    /// A value gets no relevance.
    #[error(
        "--relevance-of {name}: no relevance reaches that tensor as such; it depends on no input, does not lead to the output, or lies within a layer (`abslrp inspect` shows the layers)"
    )]
    NoRelevance {
        /// The tensor.
        name: String,
    },
}

/// A model's explanation: what is to be written behind its source, and what it is.
#[derive(Debug, Clone)]
pub struct Explanation {
    /// What is written behind the source's nodes, initializers, inputs, outputs and metadata.
    pub addition: Addition,
    /// What was done.
    pub summary: Summary,
}

/// What was done, for people and machines.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Summary {
    /// The source.
    pub model: PathBuf,
    /// The explained tensor.
    pub output: String,
    /// The output whose pre-activation that is, with the operator left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instead_of: Option<(String, String)>,
    /// How it is explained.
    pub options: Options,
    /// Outputs added, with their types.
    pub relevance: Vec<(String, String)>,
    /// Inputs that no relevance reaches.
    pub unreached: Vec<String>,
    /// Where relevance was cut, and why.
    pub cut: Vec<String>,
    /// The number of units crossed.
    pub units: usize,
    /// The numbers of nodes in the source and added.
    pub nodes: (usize, usize),
    /// The multiply-adds of all products of the source and of the explained model, with unknown sizes
    /// counted as 1. Products of constants, which runtimes fold, are among them.
    pub multiply_adds: (f64, f64),
    /// The size of what is added, in bytes.
    pub added_bytes: usize,
}

/// Explains a model.
pub fn explain(model: &Model, options: &Options) -> Result<Explanation, Error> {
    let graph = Graph::new(model)?;
    let plan = Plan::new(&graph, options)?;
    plan.check(&graph, options)?;
    let mut options = options.clone();
    if plan.contrasts && options.target == Target::All {
        options.target = Target::Argmax; // The rule is about one class.
    }
    let options = &options;

    let emitter = options.emitter(&graph);
    let (of, mut values) = maps::maps(&graph, &plan, options, &emitter)?;
    let mut emitted = emitter.finish();
    for pass in options.passes() {
        (emitted, values) = pass.graph(&emitted, &values);
    }
    let outputs = of
        .iter()
        .zip(values)
        .map(|(&of, value)| {
            let name = format!("{}_relevance", graph.name(of));
            match graph.by_name(&name) {
                Some(_) => Err(Error::NameTaken { name }),
                None => Ok(Output { name, value, ty: maps::ty(&graph, of, options) }),
            }
        })
        .collect::<Result<Vec<_>, _>>()?;

    let mut addition = emitted.addition(&outputs);
    let cut = plan.unsupported.iter().map(Problem::to_string).collect();
    let summary = Summary {
        model: model.path.clone(),
        output: graph.name(plan.explained.value).into(),
        instead_of: plan.explained.instead_of.map(|(v, op)| (graph.name(v).into(), op.into())),
        options: options.clone(),
        relevance: outputs.iter().map(|o| (o.name.clone(), graph.type_text(&o.ty))).collect(),
        unreached: graph
            .activations()
            .filter(|v| !plan.inputs.contains(v))
            .map(|v| graph.name(v).into())
            .collect(),
        cut,
        units: plan.units.len(),
        nodes: (model.graph().node.len(), addition.nodes.len()),
        multiply_adds: (graph.multiply_adds(), emitted.multiply_adds()),
        added_bytes: addition.nodes.iter().map(Message::encoded_len).sum::<usize>()
            + addition.initializers.iter().map(Message::encoded_len).sum::<usize>(),
    };
    addition.metadata = metadata::record(model, &addition, &summary, &plan.text(&graph));
    Ok(Explanation { addition, summary })
}
