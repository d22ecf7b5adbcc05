//! Masks and guards: what may be infinite or no number when a model runs, though no constant in the file is.
//!
//! A softmax is what infinite numbers are made for: they are added to what it takes, from a graph input, or
//! from a product that overflows. So whatever is added, chosen or moved on the way to one may be infinite. And
//! a `Where` is what guards quotients, logarithms and exponentials that overflow: so is what lies between.

use std::collections::BTreeSet;

use crate::ir::{Graph, Kind, NodeIndex, Value};

/// Notes of the activations that are masked or guarded that they may be infinite.
pub(super) fn note(graph: &mut Graph) {
    let singular = singular(graph);
    let (mut masked, mut guarded) = (BTreeSet::new(), BTreeSet::new());
    for node in graph.nodes().rev() {
        let view = graph.node(node);
        let reads = |known: &BTreeSet<Value>| graph.outputs(node).any(|v| known.contains(&v));
        match kind(graph, node) {
            Some(Kind::Softmax) => masked.extend(graph.reads(node)),
            Some(Kind::Sum | Kind::Affine | Kind::Movement | Kind::Max) if reads(&masked) => {
                masked.extend(graph.reads(node));
            }
            _ => {}
        }
        if view.op_type() == "Where" || reads(&guarded) && is_local(graph, node) {
            guarded.extend(graph.reads(node).filter(|value| singular.contains(value)));
        }
    }
    // What is computed of masked values otherwise, as the logarithm of a softmax is, is no more finite.
    for node in graph.nodes() {
        let view = graph.node(node);
        let stays = view.operator().is_some_and(|operator| operator.may_be_infinite(view, true));
        if stays && graph.reads(node).any(|value| masked.contains(&value)) {
            masked.extend(graph.outputs(node));
        }
    }
    masked.extend(guarded);
    for value in masked {
        let facts = &mut graph.dag[value.node].outputs[value.slot as usize];
        facts.may_be_infinite |= facts.active;
    }
}

/// What functions of each element make of the results of those that are not finite everywhere.
fn singular(graph: &Graph) -> BTreeSet<Value> {
    let mut found = BTreeSet::new();
    for node in graph.nodes() {
        let view = graph.node(node);
        let begins = view.operator().is_some_and(|operator| operator.is_singular(view));
        let goes_on = || is_local(graph, node) && graph.reads(node).any(|v| found.contains(&v));
        if begins || goes_on() {
            found.extend(graph.outputs(node));
        }
    }
    found
}

fn kind(graph: &Graph, node: NodeIndex) -> Option<Kind> {
    let view = graph.node(node);
    view.operator().and_then(|operator| operator.kind(view).ok())
}

/// Whether elements come of elements alone, in the same place or another.
fn is_local(graph: &Graph, node: NodeIndex) -> bool {
    let view = graph.node(node);
    view.operator().is_some_and(|operator| operator.is_elementwise(view))
        || kind(graph, node) == Some(Kind::Movement)
}
