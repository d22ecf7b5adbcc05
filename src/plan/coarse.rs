//! Coarse maps: where relevance ends before the inputs.

use std::collections::BTreeSet;

use super::Plan;
use crate::ir::{Dim, Graph, Value};

/// The tensor whose relevance makes a coarse map.
#[derive(Debug, Clone, Copy)]
pub struct Coarse {
    /// The tensor.
    pub value: Value,
    /// How it lies over an input.
    pub layout: Layout,
}

/// How a tensor lies over an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// Axis 1 holds channels, and those behind it lie over the input's.
    Channels,
    /// The last of its parts along axis 1 are patches of an image, in so many rows and columns.
    Tokens(i64, i64),
}

/// More tokens than these before those of patches are none of a class, a distillation or registers.
const PREFIX: i64 = 16;

/// How a value lies over an input, if it does.
pub fn layout(graph: &Graph, value: Value, input: Value) -> Option<Layout> {
    let (of, over) = (graph.ty(value), graph.ty(input));
    match (of.rank()?, over.rank()?) {
        (a, b) if a == b && (3..=5).contains(&a) => Some(Layout::Channels),
        (3, 4) => {
            let known = |ty: &crate::ir::Type, axis: usize| ty.dim(axis).and_then(Dim::known);
            let (tokens, height, width) = (known(of, 1)?, known(over, 2)?, known(over, 3)?);
            let patches = (1..=height.min(width)).filter(|p| height % p == 0 && width % p == 0);
            let mut grids = patches.map(|p| (height / p, width / p));
            let (rows, columns) = grids.find(|(rows, columns)| rows * columns <= tokens)?;
            (tokens - rows * columns <= PREFIX).then_some(Layout::Tokens(rows, columns))
        }
        _ => None,
    }
}

/// The last value with channels that all relevance passes and that lies over an input with at least `size` rows and
/// columns. Tokens are named: behind the last attention, only that of the class has relevance.
pub fn last_of_size(graph: &Graph, plan: &Plan, size: i64) -> Option<Value> {
    let is_large = |value: Value| {
        let over = |&input: &Value| layout(graph, value, input) == Some(Layout::Channels);
        let sizes = graph.ty(value).shape.iter().flatten().skip(2);
        let mut sizes = sizes.map(|dim| dim.known().is_some_and(|n| n >= size));
        plan.inputs.iter().any(over) && sizes.all(|large| large)
    };
    // What relevance reached and has not left. If that is one value, all of it passes there.
    let mut pending = BTreeSet::from([plan.explained.value]);
    for planned in &plan.units {
        for result in planned.unit.results(graph) {
            pending.remove(&result);
        }
        pending.extend(planned.recipients(graph).into_iter().filter(|v| plan.receives.contains(v)));
        if let (1, Some(&value)) = (pending.len(), pending.first())
            && is_large(value)
        {
            return Some(value);
        }
    }
    None
}

/// The graph inputs that a value depends on.
pub fn inputs_of(graph: &Graph, value: Value) -> BTreeSet<Value> {
    let mut nodes = BTreeSet::from([value.node]);
    for node in graph.nodes().rev() {
        if nodes.contains(&node) {
            nodes.extend(graph.reads(node).map(|v| v.node));
        }
    }
    graph.graph_inputs().filter(|input| nodes.contains(&input.node)).collect()
}
