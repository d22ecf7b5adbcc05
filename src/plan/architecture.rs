//! Parts that units play in an architecture, which some rules ask for: what a unit is to the network around it,
//! not what it computes.

use std::collections::{BTreeMap, BTreeSet};

use super::layers::Layers;
use crate::{
    ir::{Dim, Graph, Kind, NodeIndex, Value},
    rules::Part,
};

/// The parts of the nodes that units are named by; the others play none.
pub(super) fn parts(graph: &Graph, layers: &Layers) -> BTreeMap<NodeIndex, Part> {
    let walk = Architecture { graph, layers };
    let nodes = |kind| graph.nodes().filter(move |&node| walk.kind(node) == Some(kind));
    let mut parts = BTreeMap::new();
    let sums: Vec<_> = nodes(Kind::Sum).filter(|&node| walk.flows(node).count() > 1).collect();
    if !sums.is_empty() {
        parts.extend(nodes(Kind::Max).map(|pool| (pool, Part::ResidualPool)));
    }
    let skips = sums.into_iter().filter(|&sum| walk.skips(sum));
    parts.extend(skips.map(|sum| (sum, Part::Skip)));
    let attentions: Vec<_> = nodes(Kind::Softmax).filter(|&node| walk.attends(node)).collect();
    let (Some(&first), Some(&last)) = (attentions.first(), attentions.last()) else {
        return parts;
    };
    let before = nodes(Kind::Affine).filter(|&node| node < first && walk.adds_positions(node));
    parts.extend(before.map(|node| (node, Part::Positions)));
    let behind = nodes(Kind::Movement).filter(|&node| node > last && walk.picks(node));
    parts.extend(behind.map(|node| (node, Part::Pick)));
    parts
}

#[derive(Clone, Copy)]
struct Architecture<'g> {
    graph: &'g Graph,
    layers: &'g Layers,
}

impl<'g> Architecture<'g> {
    fn kind(self, node: NodeIndex) -> Option<Kind> {
        let view = self.graph.node(node);
        view.operator()?.kind(view).ok()
    }

    /// The activations that a node is a function of.
    fn flows(self, node: NodeIndex) -> impl Iterator<Item = Value> + 'g {
        let view = self.graph.node(node);
        let operator = view.operator();
        let flows = move |&(operand, value): &(usize, Value)| {
            self.graph.is_active(value) && operator.is_some_and(|op| op.flows(view, operand))
        };
        self.graph.operands(node).filter(flows).map(|(_, value)| value)
    }

    /// Whether a softmax is of the products of two activations, with nothing between but what moves, scales, shifts
    /// and masks.
    fn attends(self, softmax: NodeIndex) -> bool {
        let mut seen = BTreeSet::new();
        let mut open: Vec<_> = self.flows(softmax).map(|value| value.node).collect();
        while let Some(node) = open.pop() {
            let view = self.graph.node(node);
            match self.kind(node) {
                Some(Kind::Product) if view.operator().is_some_and(|op| op.adds_up_terms(view)) => {
                    return true;
                }
                Some(Kind::Affine | Kind::Movement | Kind::Sum) if seen.insert(node) => {
                    open.extend(self.flows(node).map(|value| value.node));
                }
                _ => {}
            }
        }
        false
    }

    /// Whether an operand of a sum is computed from another one.
    fn skips(self, sum: NodeIndex) -> bool {
        let operands: BTreeSet<_> = self.flows(sum).map(|value| value.node).collect();
        let Some(&earliest) = operands.first() else { return false };
        let mut seen = BTreeSet::new();
        let mut open: Vec<_> = operands.iter().copied().collect();
        while let Some(node) = open.pop() {
            for before in self.flows(node).map(|value| value.node) {
                if operands.contains(&before) {
                    return true;
                }
                if before > earliest && seen.insert(before) {
                    open.push(before);
                }
            }
        }
        false
    }

    /// Whether a node that belongs to no layer adds a constant that differs along several axes.
    fn adds_positions(self, node: NodeIndex) -> bool {
        let view = self.graph.node(node);
        let varies = |value: Value| {
            let dims = self.graph.ty(value).shape.iter().flatten();
            dims.filter(|dim| **dim != Dim::Known(1)).count() > 1
        };
        let mut constants = view.inputs().into_iter().flatten();
        !self.layers.core.contains_key(&node)
            && view.op_type() == "Add"
            && constants.any(|v| !self.graph.is_active(v) && varies(v))
    }

    /// Whether a node takes some of the elements of a value, and nobody takes the others.
    fn picks(self, node: NodeIndex) -> bool {
        matches!(self.graph.node(node).op_type(), "Gather" | "Slice")
            && self.flows(node).all(|value| self.graph.readers(value).count() == 1)
    }
}
