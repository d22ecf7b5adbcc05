//! Passes: what makes an explanation cheap without meaning anything else.
//!
//! A pass has a name, a reason, and a file that states both. There are three kinds ([`Action`]): a
//! rewrite of a rule before it is emitted for a unit, by what is known of the unit's activations; a
//! choice of how formulas are written, where runtimes are quicker at one of several forms; and a rewrite
//! of the graph that was emitted. A level is a list of passes, [`Selection`] another: `-O0` only leaves
//! out what nothing needs. What each does to a small model is pinned by a test, which also runs the model
//! with and without it.
//!
//! The forms were measured on ONNX Runtime's CPU. Where a runtime has kernels for the gradients of
//! convolutions and pools, as on GPUs, leave out `turned-convolutions` and `split-windows`.

mod baked_twins;
mod cofactors;
mod common_subexpressions;
mod dead_nodes;
mod epsilon_in_bias;
mod idle_branches;
mod idle_expansions;
mod idle_signs;
mod joint_slices;
mod masks;
mod quotients_first;
mod smooth_poles;
mod split_windows;
mod turned_convolutions;
mod twin_folding;

use crate::{
    error::Error,
    ir::{Graph, Lowering, Value},
    options::{Level, Options, Selection},
    rules::Rewrite,
};

/// All passes, in the order they run in; the file of each says why it stands where it does.
const ALL: [Pass; 15] = [
    twin_folding::PASS,
    idle_branches::PASS,
    idle_signs::PASS,
    epsilon_in_bias::PASS,
    cofactors::PASS,
    masks::PASS,
    smooth_poles::PASS,
    turned_convolutions::PASS,
    split_windows::PASS,
    idle_expansions::PASS,
    joint_slices::PASS,
    common_subexpressions::PASS,
    quotients_first::PASS,
    baked_twins::PASS,
    dead_nodes::PASS,
];

/// A rewrite of a graph: a fresh one with the same outputs, which are the values.
pub type GraphRewrite = fn(&Graph, &[Value]) -> (Graph, Vec<Value>);

/// An optimisation.
#[derive(Debug, Clone, Copy)]
pub struct Pass {
    /// Its name.
    pub name: &'static str,
    /// When it runs, unless passes are selected by name.
    pub runs: Runs,
    /// What it does.
    pub action: Action,
}

/// When a pass runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Runs {
    /// At every level.
    Always,
    /// At `-O2`.
    AtO2,
    /// When it is asked for.
    OnRequest,
}

/// What a pass does.
#[derive(Debug, Clone, Copy)]
pub enum Action {
    /// Rewrites what is emitted for a unit.
    Rule(Rewrite),
    /// Chooses how formulas are written.
    Lowering(fn(&mut Lowering)),
    /// Rewrites the graph that was emitted.
    Graph(GraphRewrite),
}

/// The passes that options ask for, in order.
pub fn selected(options: &Options) -> Result<Vec<Pass>, Error> {
    let (only, names) = match &options.passes {
        None => (false, &[][..]),
        Some(Selection::Only(names)) => (true, &names[..]),
        Some(Selection::Without(names)) => (false, &names[..]),
    };
    if let Some(name) = names.iter().find(|name| ALL.iter().all(|pass| pass.name != **name)) {
        let known = ALL.map(|pass| pass.name).join(", ");
        return Err(Error::NoSuchPass { name: name.clone(), known });
    }
    let wanted = |pass: &Pass| {
        let named = names.iter().any(|name| name == pass.name);
        match pass.runs {
            Runs::OnRequest => options.bake_twins,
            _ if only => named,
            Runs::Always => !named,
            Runs::AtO2 => !named && options.level == Level::O2,
        }
    };
    Ok(ALL.into_iter().filter(wanted).collect())
}

/// The rewrites of rules among some passes.
pub fn rule_rewrites(passes: &[Pass]) -> Vec<Rewrite> {
    let rewrite = |pass: &Pass| match pass.action {
        Action::Rule(rewrite) => Some(rewrite),
        _ => None,
    };
    passes.iter().filter_map(rewrite).collect()
}

/// The forms that some passes choose.
pub fn lowering(passes: &[Pass]) -> Lowering {
    let mut lowering = Lowering::default();
    for pass in passes {
        if let Action::Lowering(choose) = pass.action {
            choose(&mut lowering);
        }
    }
    lowering
}

/// What some passes make of a graph, and where its outputs are then.
pub fn rewritten(
    passes: &[Pass],
    mut graph: Graph,
    mut outputs: Vec<Value>,
) -> (Graph, Vec<Value>) {
    for pass in passes {
        if let Action::Graph(rewrite) = pass.action {
            (graph, outputs) = rewrite(&graph, &outputs);
        }
    }
    (graph, outputs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ir::{Emitter, Kind, Origin},
        onnx::Model,
        rules::Known,
    };

    /// A builder behind a graph of one `Relu`, and the input of that.
    pub fn relu() -> (Emitter, Value) {
        let model = Model::open("fixtures/forms/relu.op17.onnx").unwrap();
        let graph = crate::front::import(&model, &crate::ops::REGISTRY).unwrap();
        (Emitter::new(&graph), graph.by_name("x").unwrap())
    }

    /// What is known of a layer with weights whose activations cannot be negative, or can.
    pub fn layer(non_negative: bool) -> Known {
        Known {
            kind: Kind::Weighted,
            linear: true,
            keeps_sign: true,
            non_negative,
            non_negative_weights: false,
        }
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
