//! Units: what a framework calls a layer, whichever nodes an exporter made of it.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    graph::{Dim, Emitter, Expr, Graph, NodeIndex, Value},
    ops::{Call, Constants, Error, Kind, Linear, Operator, Role},
};

/// One node, or a linear layer together with the constants that follow it.
#[derive(Clone)]
pub struct Unit {
    /// The node whose operator the unit is.
    pub node: NodeIndex,
    /// The shifts and scales that fold into it, in order.
    pub tail: Vec<NodeIndex>,
    /// Its result.
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
        if is_self_gated(graph, node, &layers.barriers) {
            return Err(Error::Unsupported { what: "a self-gated activation such as SiLU".into() });
        }
        Self::new(graph, node, Vec::new())
    }

    fn new(graph: &Graph, node: NodeIndex, tail: Vec<NodeIndex>) -> Result<Self, Error> {
        let view = graph.view(node);
        let Some(operator) = view.operator() else {
            return Err(Error::Unsupported {
                what: format!("the operator {}", view.operator_name()),
            });
        };
        let output = Value { node: tail.last().copied().unwrap_or(node), slot: 0 };
        Ok(Self { node, tail, output, kind: operator.kind(view)?, operator })
    }

    /// Its nodes, in order.
    pub fn members(&self) -> impl Iterator<Item = NodeIndex> + '_ {
        std::iter::once(self.node).chain(self.tail.iter().copied())
    }

    /// The operands that relevance can flow to.
    pub fn recipients(&self, graph: &Graph) -> Vec<(usize, Value)> {
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
        let call = Call::new(view, self.operator, emitter, self.output);
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
            let step = Call::new(step, operator, emitter, output);
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
        let view = graph.view(self.node);
        let bias_only = || {
            // `x·W + b`, the form that a product without a bias operand takes.
            view.op_type() == "MatMul"
                && self.tail.len() == 1
                && graph.view(self.tail[0]).op_type() == "Add"
        };
        real && (self.tail.is_empty() || bias_only())
    }

    /// What a constant operand of the call is, if it is a parameter.
    pub fn role(&self, graph: &Graph, operand: usize) -> Option<Role> {
        let view = graph.view(self.node);
        let constant = view.input(operand).is_none_or(|v| !graph.is_active(v));
        (self.kind == Kind::Weighted && constant).then(|| self.operator.role(operand))
    }
}

/// Where the linear layers of a graph are.
pub struct Layers {
    /// For each node that belongs to a linear layer, the product with weights it is or folds into.
    core: BTreeMap<NodeIndex, NodeIndex>,
    /// The values that are no intermediate values of a unit, because somebody sees them.
    barriers: BTreeSet<Value>,
}

impl Layers {
    /// Finds them. A shift or scale belongs to the layer before it if nothing else reads, or sees,
    /// what lies between.
    pub fn new(graph: &Graph, barriers: BTreeSet<Value>) -> Self {
        let mut core = BTreeMap::new();
        for node in graph.nodes() {
            if linear_layer(graph, node).is_some() {
                core.insert(node, node);
            } else if let Some(x) = scaled_or_shifted(graph, node)
                && let Some(&layer) = core.get(&x.node)
                && !barriers.contains(&x)
                && graph.consumers(x).count() == 1
                && per_feature(graph, layer, node)
            {
                core.insert(node, layer);
            }
        }
        Self { core, barriers }
    }
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

/// Whether a node is the product of two elementwise functions of one value, one of them a gate: what
/// a framework calls `SiLU`, `GELU`, `HardSwish` or `Mish`. It is one unit, so its nodes cannot be taken one
/// by one.
fn is_self_gated(graph: &Graph, node: NodeIndex, barriers: &BTreeSet<Value>) -> bool {
    let view = graph.view(node);
    let (Some(a), Some(b)) = (view.input(0), view.input(1)) else { return false };
    if view.op_type() != "Mul" || !view.is_active(0) || !view.is_active(1) {
        return false;
    }
    let (left, right) = (elementwise(graph, a, barriers), elementwise(graph, b, barriers));
    left.iter().any(|(value, &gated)| right.get(value).is_some_and(|&also| gated || also))
}

/// The values that `value` is an elementwise function of, through nodes that serve nothing else,
/// and whether there is a gate on the way.
fn elementwise(graph: &Graph, value: Value, barriers: &BTreeSet<Value>) -> BTreeMap<Value, bool> {
    const GATES: [&str; 6] = ["Sigmoid", "HardSigmoid", "Tanh", "Erf", "Clip", "Softplus"];
    const OTHERS: [&str; 7] = ["Add", "Sub", "Mul", "Div", "Neg", "Pow", "Relu"];
    let mut found = BTreeMap::from([(value, false)]);
    let mut waiting = vec![(value, false)];
    while let Some((at, gated)) = waiting.pop() {
        let view = graph.view(at.node);
        let is_gate = GATES.contains(&view.op_type());
        let shared = graph.consumers(at).count() != 1 || barriers.contains(&at);
        if shared || !(is_gate || OTHERS.contains(&view.op_type())) {
            continue;
        }
        let operands: Vec<_> = view.inputs().into_iter().flatten().collect();
        let scalar = |&v: &Value| graph.is_active(v) || graph.ty(v).count() == Some(1);
        if operands.iter().all(scalar) {
            for operand in operands.into_iter().filter(|&v| graph.is_active(v)) {
                let gated = gated || is_gate;
                // Every value here has one reader, so it is met once; only where both sides of a
                // product begin can paths meet.
                *found.entry(operand).or_default() |= gated;
                waiting.push((operand, gated));
            }
        }
    }
    found
}
