//! What is explained.

use crate::{
    error::Error,
    ir::{Graph, Value},
    options::Options,
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
            option: "--output",
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
    // A softmax at the very end, behind which there may be names but nothing else.
    let mut end = first;
    while graph.node(end.node).op_type() == "Identity" {
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
