//! Gates: values between 0 and 1 that weigh others, as attention weights do, and the gates of
//! squeeze-and-excitation, GLUs and recurrent cells.
//!
//! A gate says how much of a signal counts, not what the signal is. A rule may hold it constant where it
//! meets one, so that all relevance goes to the signal. Of the two branches of a SwiGLU, a rule may take the one
//! that goes through an activation function for a gate, although it has no bounds.

use std::collections::BTreeSet;

use super::{Unit, layers::Layers};
use crate::ir::{Graph, Kind, NodeRef, Value};

/// What gives a gate.
const GATES: [&str; 3] = ["Softmax", "Sigmoid", "HardSigmoid"];

/// What a gate remains one behind: where it is only moved, quantised, masked by a constant, negated, or scaled and
/// shifted by constants, as in `1 − g`. The sum of two gates is none, nor is what one divides.
const CARRIERS: [&str; 18] = [
    "Reshape",
    "Flatten",
    "Transpose",
    "Squeeze",
    "Unsqueeze",
    "Expand",
    "Tile",
    "Slice",
    "Split",
    "Concat",
    "Gather",
    "Cast",
    "CastLike",
    "Identity",
    "Dropout",
    "Where",
    "QuantizeLinear",
    "DynamicQuantizeLinear",
];

/// The values of a graph that are gates.
pub(super) fn gates(graph: &Graph) -> BTreeSet<Value> {
    from(graph, opens)
}

/// The values of a graph that activation functions give.
pub(super) fn activated(graph: &Graph, layers: &Layers) -> BTreeSet<Value> {
    from(graph, |node| {
        Unit::ending_at(graph, node.index(), layers).is_ok_and(|u| u.kind == Kind::Activation)
    })
}

/// The values that nodes give which open a gate, and those that carry it on.
fn from(graph: &Graph, opens: impl Fn(NodeRef) -> bool) -> BTreeSet<Value> {
    let mut gates = BTreeSet::new();
    for node in graph.nodes().map(|node| graph.node(node)) {
        if opens(node) || carries(node, &gates) {
            gates.extend(graph.outputs(node.index()).filter(|&v| graph.is_active(v)));
        }
    }
    gates
}

fn opens(node: NodeRef) -> bool {
    node.domain().is_empty() && GATES.contains(&node.op_type())
}

/// Whether all that flows to a node is gates, and they remain so.
fn carries(node: NodeRef, gates: &BTreeSet<Value>) -> bool {
    let Some(operator) = node.operator() else { return false };
    let graph = node.graph();
    let mut active = node
        .inputs()
        .into_iter()
        .enumerate()
        .filter_map(|(i, v)| Some((i, v?)))
        .filter(|&(_, v)| graph.is_active(v));
    let all_gates = active.clone().count() > 0
        && active.all(|(i, v)| match operator.flows(node, i) {
            true => gates.contains(&v),
            // What a mask depends on does not matter, but elements must not be fetched by it.
            false => node.op_type() == "Where",
        });
    if !all_gates || !node.domain().is_empty() {
        return false;
    }
    match operator.kind(node) {
        Ok(Kind::Product) => true,
        // Not `c / g`: of what divides, only constants.
        Ok(Kind::Affine) => node.op_type() != "Div" || node.is_active(0),
        Ok(Kind::Movement) => CARRIERS.contains(&node.op_type()),
        _ => false,
    }
}
