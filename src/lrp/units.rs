//! Units: what a framework calls a layer, whichever nodes an exporter made of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::patterns;
use crate::{
    graph::{Dim, Emitter, Expr, Graph, NodeIndex, Value},
    ops::{Call, Constants, Degree, Error, Group, Kind, Linear, Operator, Role},
};

/// One node; or a linear layer together with the constants that follow it; or a group of nodes.
#[derive(Clone)]
pub struct Unit {
    /// The node whose operator the unit is.
    pub node: NodeIndex,
    /// The shifts and scales that fold into it, in order.
    pub tail: Vec<NodeIndex>,
    /// The nodes that are one function, if it is more than an operator.
    pub group: Option<Arc<Group>>,
    /// Its result, the first if there are several.
    pub output: Value,
    /// What kind of operation it is.
    pub kind: Kind,
    /// Its operator.
    pub operator: &'static dyn Operator,
}

impl Unit {
    /// The unit that ends at `node`.
    pub fn ending_at(graph: &Graph, node: NodeIndex, layers: &Layers) -> Result<Self, Error> {
        if let Some(&core) = layers.core.get(&node) {
            // From the last shift or scale back to the product that they fold into.
            let back = |&at: &NodeIndex| scaled_or_shifted(graph, at).map(|x| x.node);
            let tail = std::iter::successors(Some(node), back).take_while(|&at| at != core);
            let mut tail: Vec<_> = tail.collect();
            tail.reverse();
            return Self::new(graph, core, tail);
        }
        let mut unit = Self::new(graph, node, Vec::new())?;
        if layers.units != Units::Nodes
            && let Some((group, kind)) = group(graph, node, &layers.barriers)
        {
            (unit.group, unit.kind) = (Some(Arc::new(group)), kind);
        }
        Ok(unit)
    }

    fn new(graph: &Graph, node: NodeIndex, tail: Vec<NodeIndex>) -> Result<Self, Error> {
        let view = graph.view(node);
        let Some(operator) = view.operator() else {
            return Err(Error::Unsupported {
                what: format!("the operator {}", view.operator_name()),
            });
        };
        let output = Value { node: tail.last().copied().unwrap_or(node), slot: 0 };
        Ok(Self { node, tail, group: None, output, kind: operator.kind(view)?, operator })
    }

    /// Its nodes, in order.
    pub fn members(&self) -> impl Iterator<Item = NodeIndex> + '_ {
        let group = self.group.iter().flat_map(|group| group.members.iter().copied());
        let inner = group.filter(|&member| member != self.node);
        inner.chain(std::iter::once(self.node)).chain(self.tail.iter().copied())
    }

    /// The operands that relevance can flow to.
    pub fn recipients(&self, graph: &Graph) -> Vec<(usize, Value)> {
        if let Some(group) = &self.group {
            let operands = group.operands.iter().copied().enumerate();
            return operands.filter(|&(_, v)| graph.is_active(v)).collect();
        }
        let view = graph.view(self.node);
        let operands = view.inputs().into_iter().enumerate();
        operands
            .filter_map(|(i, v)| Some((i, v?)))
            .filter(|&(i, v)| graph.is_active(v) && self.operator.flows(view, i))
            .collect()
    }

    /// The unit as a call, with its shifts and scales folded into weight and bias.
    pub fn call<'g, 'e>(
        &self,
        graph: &'g Graph,
        emitter: &'e Emitter,
    ) -> Result<Call<'g, 'e>, Error> {
        let view = graph.view(self.node);
        let mut call = Call::new(view, self.operator, self.group.clone(), emitter, self.output);
        for (operand, value) in view.inputs().into_iter().enumerate() {
            let Some(value) = value.filter(|_| self.role(graph, operand).is_some()) else {
                continue;
            };
            let source = graph.view(value.node);
            if let Some(operator) = source.operator() {
                let constant = Call::new(source, operator, None, emitter, value);
                if let Some(w) = operator.written_out(&constant) {
                    call = call.with(operand, Some(w));
                }
            }
        }
        let Some(layer) = self.operator.linear().filter(|_| !self.tail.is_empty()) else {
            return Ok(call);
        };
        let weight = usize::from(view.is_active(0));
        let elem = view.ty(weight)?.relevance();
        let rank = view.output().rank().ok_or(Error::Unknown { what: "the rank".into() })?;
        let mut bias = call.get(2).map(|b| layer.spread(view, b, rank)).transpose()?;
        let mut scale: Option<Expr<'e>> = None;
        let mut x = Value { node: self.node, slot: 0 };
        for &node in &self.tail {
            let step = graph.view(node);
            // `scaled_or_shifted` has seen that there is an operator.
            let Some(operator) = step.operator() else { continue };
            let output = Value { node, slot: 0 };
            let step = Call::new(step, operator, None, emitter, output);
            let affine = operator.affine(&step, x)?;
            if let Some(factor) = affine.scale {
                scale = Some(scale.map_or(factor, |g| g * factor));
                bias = bias.map(|b| b * factor);
            }
            if let Some(shift) = affine.shift {
                bias = Some(bias.map_or(shift, |b| b + shift));
            }
            x = output;
        }
        let mut folded = call.clone();
        if let Some(g) = scale {
            let g = g.cast(elem).reshape(&[-1]);
            folded = folded.with(weight, Some(layer.scale(view, call.x(weight)?, g)?.named("W")));
        }
        if let Some(b) = bias {
            folded = folded.with(2, Some(layer.bias(view, b.cast(elem))?.named("b")));
        }
        Ok(folded)
    }

    /// Whether the result in the source is the operation on the operands of [`Unit::call`] to the
    /// last bit: it has the same operators in the same form.
    pub fn is_literal(&self, graph: &Graph) -> bool {
        let real = graph.ty(self.output).relevance() == graph.ty(self.output).elem;
        real && match self.tail.as_slice() {
            [] => true,
            &[only] => is_bias(graph, self.node, only),
            _ => false,
        }
    }

    /// How the unit is homogeneous, if it is an elementwise function.
    pub fn degree(&self, graph: &Graph) -> Option<Degree> {
        let Some(group) = &self.group else { return self.operator.degree(graph.view(self.node)) };
        // x · sigmoid(x), written out.
        let &[x] = group.operands.as_slice() else { return None };
        let &[gate, product] = group.members.as_slice() else { return None };
        let gate_of_x = graph.view(gate).op_type() == "Sigmoid" && graph.inputs(gate) == [Some(x)];
        let times_x = graph.view(product).op_type() == "Mul"
            && graph.reads(product).any(|v| v == x)
            && graph.reads(product).any(|v| v.node == gate);
        (gate_of_x && times_x).then(|| Degree::gated(1.0))
    }

    /// Its results: of a node that relevance flows back to from several, all of them.
    pub fn results<'g>(&'g self, graph: &'g Graph) -> impl Iterator<Item = Value> + 'g {
        let several = self.operator.has_several_outputs() && self.group.is_none();
        let first = std::iter::once(self.output);
        first.chain(graph.outputs(self.node).filter(move |v| several && *v != self.output))
    }

    /// Whether an operand of the call depends on an input's data.
    pub fn is_active(&self, graph: &Graph, operand: usize) -> bool {
        match &self.group {
            Some(group) => group.operands.get(operand).is_some_and(|&v| graph.is_active(v)),
            None => graph.view(self.node).is_active(operand),
        }
    }

    /// What a constant operand of the call is, if it is a parameter.
    pub fn role(&self, graph: &Graph, operand: usize) -> Option<Role> {
        if let Some(group) = &self.group {
            return operand.checked_sub(1).and_then(|i| group.roles.get(i).copied());
        }
        let has_parameters = matches!(self.kind, Kind::Weighted | Kind::Normalisation);
        (has_parameters && !self.is_active(graph, operand))
            .then(|| self.operator.role(operand))
            .flatten()
    }
}

/// Where the linear layers of a graph are.
pub struct Layers {
    /// For each node that belongs to a linear layer, the product with weights it is or folds into.
    core: BTreeMap<NodeIndex, NodeIndex>,
    /// The values that are no intermediate values of a unit, because somebody sees them.
    barriers: BTreeSet<Value>,
    units: Units,
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
                && let Some(&layer) = core.get(&x.node)
                && folds(graph, layer, x, node, units)
                && !barriers.contains(&x)
                && graph.readers(x).count() == 1
                && per_feature(graph, layer, node)
            {
                core.insert(node, layer);
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
fn is_bias(graph: &Graph, product: NodeIndex, node: NodeIndex) -> bool {
    graph.view(product).op_type() == "MatMul" && graph.view(node).op_type() == "Add"
}

/// The activation that a node scales or shifts by constants.
fn scaled_or_shifted(graph: &Graph, node: NodeIndex) -> Option<Value> {
    let view = graph.view(node);
    view.operator()?.constants(view)?;
    let active: Vec<_> =
        view.inputs().into_iter().flatten().filter(|&v| graph.is_active(v)).collect();
    match active.as_slice() {
        &[x] => Some(x),
        _ => None,
    }
}

/// The linear layer that a node is, if it is one.
fn linear_layer(graph: &Graph, node: NodeIndex) -> Option<&'static dyn Linear> {
    let view = graph.view(node);
    let operator = view.operator()?;
    operator.linear().filter(|_| matches!(operator.kind(view), Ok(Kind::Weighted)))
}

/// Whether the constants of a node vary along the features of a layer's output only.
fn per_feature(graph: &Graph, core: NodeIndex, node: NodeIndex) -> bool {
    let (view, step) = (graph.view(core), graph.view(node));
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

/// The group that ends at a node, if exporters write one layer of a framework as several nodes there.
fn group(graph: &Graph, node: NodeIndex, barriers: &BTreeSet<Value>) -> Option<(Group, Kind)> {
    let view = graph.view(node);
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
        let view = graph.view(end.node);
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
    if members.len() + tail.len() < 2 || graph.ty(x).rank() != graph.view(node).output().rank() {
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
    let view = graph.view(node);
    let data = |node: NodeIndex, op_type: &str| {
        let view = graph.view(node);
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
    let product = graph.view(node);
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
        let view = graph.view(latest.node);
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
    let view = graph.view(node);
    let Some(operator) = view.operator() else { return false };
    let activation = matches!(operator.kind(view), Ok(Kind::Activation));
    let scalar = |v: Value| graph.is_active(v) || graph.ty(v).count() == Some(1);
    (activation || ARITHMETIC.contains(&view.op_type()))
        && view.inputs().into_iter().flatten().all(scalar)
}
