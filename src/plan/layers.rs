//! Linear layers: a product with weights, and the constants behind it that fold into it.

use std::collections::{BTreeMap, BTreeSet};

use super::patterns;
use crate::ir::{Constants, Dim, Graph, Kind, Linear, NodeIndex, Value};

/// Where the linear layers of a graph are.
pub struct Layers {
    /// For each node that belongs to a linear layer, the product with weights it is or folds into.
    pub(super) core: BTreeMap<NodeIndex, NodeIndex>,
    /// Values that must stay visible, as graph outputs and the explained tensor: no unit may swallow them.
    pub(super) barriers: BTreeSet<Value>,
    pub(super) units: Units,
}

/// What is taken for one unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Units {
    /// A layer, with the scales, shifts and normalisations that fold into it.
    Whole,
    /// A layer without them, but with its bias.
    Unfolded,
    /// A node.
    Nodes,
}

impl Layers {
    /// Finds them. A shift or scale belongs to the layer before it if nothing else reads, or sees,
    /// what lies between.
    pub fn new(graph: &Graph, barriers: BTreeSet<Value>, units: Units) -> Self {
        let mut core = BTreeMap::new();
        for node in graph.nodes() {
            if linear_layer(graph, node).is_some() {
                core.insert(node, node);
            } else if let Some(x) = scaled_or_shifted(graph, node)
                && let between = rounded(graph, x)
                && let before = between.last().copied().unwrap_or(x)
                && let Some(&layer) = core.get(&before.node)
                && folds(graph, layer, x, node, units)
                && between
                    .iter()
                    .chain([&x])
                    .all(|v| !barriers.contains(v) && graph.readers(*v).count() == 1)
                && per_feature(graph, layer, node)
            {
                core.insert(node, layer);
                let rounds = |v: &&Value| **v != before;
                core.extend(between.iter().chain([&x]).filter(rounds).map(|v| (v.node, layer)));
            }
        }
        Self { core, barriers, units }
    }
}

/// Whether a shift or scale of `x` at `node` may belong to a layer.
fn folds(graph: &Graph, layer: NodeIndex, x: Value, node: NodeIndex, units: Units) -> bool {
    units == Units::Whole
        || units == Units::Unfolded && x.node == layer && is_bias(graph, layer, node)
}

/// Whether what follows a product is its bias: `x·W + b`, where the product has no operand for it.
pub(super) fn is_bias(graph: &Graph, product: NodeIndex, node: NodeIndex) -> bool {
    let found = patterns::biased_product().find(graph, node, &BTreeSet::new());
    found.is_some_and(|found| found.members.contains(&product))
}

/// The activation that a node scales or shifts by constants.
pub(super) fn scaled_or_shifted(graph: &Graph, node: NodeIndex) -> Option<Value> {
    let view = graph.node(node);
    view.operator()?.constants(view)?;
    let active: Vec<_> =
        view.inputs().into_iter().flatten().filter(|&v| graph.is_active(v)).collect();
    match active.as_slice() {
        &[x] => Some(x),
        _ => None,
    }
}

/// The activation that a step of a layer is a function of: a scale or shift, or a rounding between two.
pub(super) fn before(graph: &Graph, node: NodeIndex) -> Option<Value> {
    let rounded = || graph.node(node).input(0).filter(|_| rounds(graph, node));
    scaled_or_shifted(graph, node).or_else(rounded)
}

/// Whether a node quantises numbers or undoes that.
pub(super) fn rounds(graph: &Graph, node: NodeIndex) -> bool {
    ROUNDINGS.contains(&graph.node(node).op_type())
}

/// What quantised models write between the nodes of a layer.
const ROUNDINGS: [&str; 2] = ["DequantizeLinear", "QuantizeLinear"];

/// What a value was before it was quantised and dequantised: the quantised elements, and the numbers.
///
/// A layer that exporters write as several nodes is quantised between them, too. To be quantised to what cannot
/// be negative is a `ReLU`, though, which quantisers leave out then, and no part of a layer.
fn rounded(graph: &Graph, value: Value) -> Vec<Value> {
    let input = |value: Value, op_type| {
        let node = graph.node(value.node);
        node.input(0).filter(|_| node.op_type() == op_type)
    };
    let [undo, round] = ROUNDINGS;
    let found = input(value, undo).and_then(|q| Some([q, input(q, round)?]));
    let signed =
        |[_, x]: &[Value; 2]| graph.facts(*x).non_negative || !graph.facts(value).non_negative;
    found.filter(signed).map(Vec::from).unwrap_or_default()
}

/// The linear layer that a node is, if it is one.
fn linear_layer(graph: &Graph, node: NodeIndex) -> Option<&'static dyn Linear> {
    let view = graph.node(node);
    let operator = view.operator()?;
    operator.linear().filter(|_| matches!(operator.kind(view), Ok(Kind::Weighted)))
}

/// Whether the constants of a node vary along the features of a layer's output only.
fn per_feature(graph: &Graph, core: NodeIndex, node: NodeIndex) -> bool {
    let (view, step) = (graph.node(core), graph.node(node));
    let Some(layer) = linear_layer(graph, core) else { return false };
    let (Ok(features), Some(rank)) = (layer.features(view), view.output().rank()) else {
        return false;
    };
    let constants = step.operator().and_then(|op| op.constants(step));
    if constants == Some(Constants::PerChannel) {
        return features == Some(1);
    }
    let count = layer.count(view);
    step.inputs().into_iter().flatten().filter(|&v| !graph.is_active(v)).all(|c| {
        let Some(shape) = &graph.ty(c).shape else { return false };
        let Some(offset) = rank.checked_sub(shape.len()) else { return false };
        shape.iter().enumerate().all(|(axis, &dim)| match dim {
            Dim::Known(1) => true,
            dim => Some(offset + axis) == features && dim.known() == count && count.is_some(),
        })
    })
}
