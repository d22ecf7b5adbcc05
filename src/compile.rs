//! From a graph to its explanation: target, units, plan, sweep.

use std::path::PathBuf;

use prost::Message;

use crate::{
    back::{self, Output},
    error::{Error, Problem},
    front,
    ir::Emitter,
    onnx::{Addition, Model},
    options::Options,
    passes,
    plan::Plan,
    sweep::{self, Sweep},
};

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
pub fn compile(model: &Model, options: &Options) -> Result<Explanation, Error> {
    let graph = front::import(model, &crate::ops::REGISTRY)?;
    let plan = Plan::new(&graph, options)?;
    plan.check(&graph, options)?;
    let passes: Vec<_> = options.passes().collect();
    let emitter = Emitter::with(&graph, passes::lowering(&passes));
    let rewrites = passes::rule_rewrites(&passes);
    let sweep =
        Sweep { graph: &graph, plan: &plan, options, rewrites: &rewrites, emitter: &emitter };
    let (of, values) = sweep.maps()?;
    let (emitted, values) = passes::rewritten(&passes, emitter.finish(), values);
    let outputs = of
        .iter()
        .zip(values)
        .map(|(&of, value)| {
            let name = format!("{}_relevance", graph.name(of));
            match graph.by_name(&name) {
                Some(_) => Err(Error::NameTaken { name }),
                None => Ok(Output { name, value, ty: sweep::map_type(&graph, of, options) }),
            }
        })
        .collect::<Result<Vec<_>, _>>()?;

    let mut addition = back::addition(&emitted, &outputs);
    let cut = plan.unsupported.iter().map(Problem::to_string).collect();
    let summary = Summary {
        model: model.path.clone(),
        output: graph.name(plan.explained.value).into(),
        instead_of: plan.explained.instead_of.map(|(v, op)| (graph.name(v).into(), op.into())),
        options: Options { target: plan.start.target.clone(), ..options.clone() },
        relevance: outputs.iter().map(|o| (o.name.clone(), graph.type_text(&o.ty))).collect(),
        unreached: graph
            .graph_inputs()
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
    addition.metadata = back::record(model, &addition, &summary, &plan.text(&graph));
    Ok(Explanation { addition, summary })
}
