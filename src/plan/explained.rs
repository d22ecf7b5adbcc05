//! What is explained, and how its relevance starts.

use crate::{
    error::{Error, Hint},
    ir::{Graph, Value},
    options::{Options, Target},
    rules::{self, Init, Normalize},
};

/// What is explained.
#[derive(Debug, Clone)]
pub struct Explained {
    /// The tensor that is asked for.
    pub output: Value,
    /// What is explained: that tensor, what it was before a softmax or sigmoid, or a part of either.
    pub value: Value,
    /// The softmax or sigmoid that is left out.
    pub without: Option<&'static str>,
}

/// The value that `options` ask to explain.
pub fn choose(graph: &Graph, options: &Options) -> Result<Explained, Error> {
    let floating = |value: &Value| graph.ty(*value).is_float();
    let candidates = || {
        let names: Vec<_> = graph.graph_outputs().filter(floating).map(|v| graph.name(v)).collect();
        if names.is_empty() { "none of the graph outputs".into() } else { names.join(", ") }
    };
    let output = match &options.output {
        Some(name) => graph.by_name(name).ok_or_else(|| Error::NoSuchTensor {
            option: Hint::Output,
            name: name.clone(),
            candidates: candidates(),
        })?,
        None => graph.graph_outputs().next().ok_or(Error::NoOutput)?,
    };
    if !floating(&output) {
        let name = graph.name(output).to_string();
        return Err(Error::NotFloating { name, candidates: candidates() });
    }
    let is_output = graph.graph_outputs().any(|known| known == output);
    let before =
        if is_output && !options.after_softmax { before_squashing(graph, output) } else { None };
    let (value, without) =
        before.map_or((output, None), |(value, squashing)| (value, Some(squashing)));
    Ok(Explained { output, value, without })
}

/// What an output is before the softmax or sigmoid at its very end, behind which there may be names and roundings
/// but nothing else.
fn before_squashing(graph: &Graph, output: Value) -> Option<(Value, &'static str)> {
    let mut end = output;
    let same = ["Identity", "QuantizeLinear", "DequantizeLinear"];
    while same.contains(&graph.node(end.node).op_type()) {
        match graph.node(end.node).input(0) {
            Some(x) => end = x,
            None => break,
        }
    }
    let view = graph.node(end.node);
    let squashing = ["Softmax", "LogSoftmax", "Sigmoid"];
    let operator = squashing.into_iter().find(|&op| op == view.op_type())?;
    view.input(0).filter(|_| view.domain().is_empty()).map(|before| (before, operator))
}

/// How relevance starts and what maps end as, once the options and the rule have had their say.
#[derive(Debug, Clone)]
pub struct Start {
    /// The class or classes that are explained.
    pub target: Target,
    /// The relevance that a class starts with.
    pub init: Init,
    /// Whether the relevance of the other classes is subtracted.
    pub contrastive: bool,
    /// What maps are divided by.
    pub normalize: Normalize,
}

impl Start {
    pub(super) fn new(options: &Options, rule: rules::Start) -> Self {
        let target = match &options.target {
            Target::All if rule.contrast => Target::Argmax,
            target => target.clone(),
        };
        Self {
            target,
            init: rule.init.unwrap_or(options.init),
            contrastive: options.contrastive || rule.contrast,
            normalize: rule.normalize.unwrap_or(options.normalize),
        }
    }
}
