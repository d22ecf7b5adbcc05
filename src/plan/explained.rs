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
    /// The explained value.
    pub value: Value,
    /// The graph output it stands for, if it is that output's pre-activation.
    pub instead_of: Option<(Value, &'static str)>,
}

/// The value that `options` ask to explain.
pub fn choose(graph: &Graph, options: &Options) -> Result<Explained, Error> {
    let floating = |value: &Value| graph.ty(*value).is_float();
    let candidates = || {
        let names: Vec<_> = graph.graph_outputs().filter(floating).map(|v| graph.name(v)).collect();
        if names.is_empty() { "none of the graph outputs".into() } else { names.join(", ") }
    };
    if let Some(name) = &options.output {
        let value = graph.by_name(name).ok_or_else(|| Error::NoSuchTensor {
            option: Hint::Output,
            name: name.clone(),
            candidates: candidates(),
        })?;
        return match floating(&value) {
            true => Ok(Explained { value, instead_of: None }),
            false => Err(Error::NotFloating { name: name.clone(), candidates: candidates() }),
        };
    }
    let first = graph.graph_outputs().next().ok_or(Error::NoOutput)?;
    if !floating(&first) {
        let name = graph.name(first).to_string();
        return Err(Error::NotFloating { name, candidates: candidates() });
    }
    // A softmax at the very end, behind which there may be names and roundings but nothing else.
    let mut end = first;
    let same = ["Identity", "QuantizeLinear", "DequantizeLinear"];
    while same.contains(&graph.node(end.node).op_type()) {
        match graph.node(end.node).input(0) {
            Some(x) => end = x,
            None => break,
        }
    }
    let view = graph.node(end.node);
    let squashing =
        ["Softmax", "LogSoftmax", "Sigmoid"].into_iter().find(|&op| op == view.op_type());
    match (squashing, view.input(0)) {
        (Some(operator), Some(value)) if view.domain().is_empty() => {
            Ok(Explained { value, instead_of: Some((first, operator)) })
        }
        _ => Ok(Explained { value: first, instead_of: None }),
    }
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
