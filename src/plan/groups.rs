//! Groups: what a framework has as one layer, and exporters write as several nodes.

use std::collections::BTreeSet;

use super::patterns;
use crate::ir::{Graph, Group, Kind, NodeIndex, Role, Value};

/// The group that ends at a node, if exporters write one layer of a framework as several nodes there.
pub(super) fn group(
    graph: &Graph,
    node: NodeIndex,
    barriers: &BTreeSet<Value>,
) -> Option<(Group, Kind)> {
    let view = graph.node(node);
    if !view.domain().is_empty() || !matches!(view.op_type(), "Mul" | "Div" | "Add" | "Reshape") {
        return None;
    }
    if let Some(gated) = self_gated(graph, node, barriers) {
        return Some((gated, Kind::Activation));
    }
    Some((normalisation(graph, node, barriers)?, Kind::Normalisation))
}

/// A normalisation with the scale and the shift behind it.
fn normalisation(graph: &Graph, node: NodeIndex, barriers: &BTreeSet<Value>) -> Option<Group> {
    let mut end = Value { node, slot: 0 };
    let (mut tail, mut parameters) = (Vec::new(), Vec::new());
    for (op_type, role) in [("Add", Role::Bias), ("Mul", Role::Weight)] {
        let view = graph.node(end.node);
        let inputs = view.inputs();
        if view.op_type() != op_type || view.is_active(0) == view.is_active(1) {
            continue;
        }
        let (&x, &c) = match view.is_active(0) {
            true => (inputs.first()?, inputs.get(1)?),
            false => (inputs.get(1)?, inputs.first()?),
        };
        tail.push(end.node);
        parameters.push((c?, role));
        end = x?;
        if barriers.contains(&end) || graph.readers(end).count() != 1 {
            return None;
        }
    }
    let (x, mut members) = normalised(graph, end.node, barriers)?;
    // Alone, it is the operator itself.
    if members.len() + tail.len() < 2 || graph.ty(x).rank() != graph.node(node).output().rank() {
        return None;
    }
    members.extend(tail);
    let (constants, roles): (Vec<_>, Vec<_>) = parameters.into_iter().unzip();
    let operands = [x].into_iter().chain(constants).collect();
    Some(Group { operands, roles, members: members.into_iter().collect() })
}

/// What a normalisation without scale and shift that ends at a node is of, and its nodes: written
/// out, or an `InstanceNormalization`, also between two reshapes that undo each other.
fn normalised(
    graph: &Graph,
    node: NodeIndex,
    barriers: &BTreeSet<Value>,
) -> Option<(Value, BTreeSet<NodeIndex>)> {
    let single = |value: Value| !barriers.contains(&value) && graph.readers(value).count() == 1;
    let view = graph.node(node);
    let data = |node: NodeIndex, op_type: &str| {
        let view = graph.node(node);
        view.input(0).filter(|_| view.op_type() == op_type && view.domain().is_empty())
    };
    if let Some(x) = data(node, "InstanceNormalization") {
        return Some((x, BTreeSet::from([node])));
    }
    if let Some(inner) = data(node, "Reshape") {
        let grouped = data(inner.node, "InstanceNormalization")?;
        let x = data(grouped.node, "Reshape")?;
        let undone = graph.ty(x).shape.is_some() && graph.ty(x).shape == view.output().shape;
        return (undone && single(inner) && single(grouped))
            .then(|| (x, BTreeSet::from([grouped.node, inner.node, node])));
    }
    let normalisations = [patterns::layer_normalization(), patterns::rms_normalization()];
    let found = normalisations.iter().find_map(|p| p.find(graph, node, barriers))?;
    Some((found.x?, found.members))
}

/// The product of two elementwise functions of one value, one of them a gate, with scalar constants:
/// what a framework calls `SiLU`, `GELU`, `HardSwish` or `Mish`, whichever nodes it is written as.
fn self_gated(graph: &Graph, node: NodeIndex, barriers: &BTreeSet<Value>) -> Option<Group> {
    const GATES: [&str; 6] = ["Sigmoid", "HardSigmoid", "Tanh", "Erf", "Clip", "Softplus"];
    let product = graph.node(node);
    if product.op_type() != "Mul" || !product.is_active(0) || !product.is_active(1) {
        return None;
    }
    let activations = |node: NodeIndex| {
        let inputs = graph.inputs(node).into_iter().flatten();
        inputs.filter(|&v| graph.is_active(v)).collect::<Vec<_>>()
    };
    // Backwards until a single value is left that everything comes from: the nearest there is.
    let mut waiting: BTreeSet<Value> = activations(node).into_iter().collect();
    let (mut members, mut gated) = (BTreeSet::from([node]), false);
    let x = loop {
        let latest = waiting.pop_last()?;
        if waiting.is_empty() {
            break latest;
        }
        let view = graph.node(latest.node);
        if barriers.contains(&latest) || !is_elementwise(graph, latest.node) {
            return None;
        }
        gated |= GATES.contains(&view.op_type());
        members.insert(latest.node);
        waiting.extend(activations(latest.node));
    };
    let inner = members.iter().filter(|&&member| member != node);
    let closed = inner
        .flat_map(|&member| graph.readers(Value { node: member, slot: 0 }))
        .all(|reader| members.contains(&reader));
    let same = graph.ty(x).shape == product.output().shape;
    (gated && closed && same).then(|| Group {
        operands: vec![x],
        roles: Vec::new(),
        members: members.into_iter().collect(),
    })
}

/// Whether a node is a function of each element, with constants of one number.
fn is_elementwise(graph: &Graph, node: NodeIndex) -> bool {
    const ARITHMETIC: [&str; 5] = ["Add", "Sub", "Mul", "Div", "Neg"];
    let view = graph.node(node);
    let Some(operator) = view.operator() else { return false };
    let activation = matches!(operator.kind(view), Ok(Kind::Activation));
    let scalar = |v: Value| graph.is_active(v) || graph.ty(v).count() == Some(1);
    (activation || ARITHMETIC.contains(&view.op_type()))
        && view.inputs().into_iter().flatten().all(scalar)
}
