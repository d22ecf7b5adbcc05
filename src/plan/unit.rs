//! Units: what a framework calls a layer, whichever nodes an exporter made of it.

use std::{collections::BTreeSet, sync::Arc};

use super::{
    groups::group,
    layers::{Layers, Units, before, is_bias},
    patterns,
};
use crate::ir::{
    Call, Emitter, Error, Euler, Expr, Graph, Group, Kind, NodeIndex, Operator, Role, Runs, Value,
};

/// One node; or a linear layer together with the constants that follow it; or a group of nodes.
#[derive(Clone)]
pub struct Unit {
    /// The node whose operator the unit is.
    pub node: NodeIndex,
    /// The shifts and scales that fold into it, and roundings between them, in order.
    pub tail: Vec<NodeIndex>,
    /// The nodes that are one function, if it is more than an operator.
    pub group: Option<Arc<Group>>,
    /// Its result, the first if there are several.
    pub output: Value,
    /// What kind of operation it is.
    pub kind: Kind,
    /// The operand that is held constant, as if it were a weight: a gate.
    pub held: Option<usize>,
    /// Whether what says where, not what, is held constant too.
    pub steered: bool,
    /// Its operator.
    pub operator: &'static dyn Operator,
}

impl Unit {
    /// The unit that ends at `node`.
    pub fn ending_at(graph: &Graph, node: NodeIndex, layers: &Layers) -> Result<Self, Error> {
        if let Some(&core) = layers.core.get(&node) {
            // From the last shift or scale back to the product that they fold into.
            let back = |&at: &NodeIndex| before(graph, at).map(|x| x.node);
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
        let view = graph.node(node);
        if let Some(refusal) = graph.refusal(node) {
            return Err(refusal.clone());
        }
        let Some(operator) = view.operator() else {
            let before = match view.domain().starts_with("com.microsoft") {
                true => ", which the model need not have had before ONNX Runtime optimised it,",
                false => "",
            };
            return Err(Error::Unsupported {
                what: format!("the operator {}{before}", view.operator_name()),
            });
        };
        let output = Value { node: tail.last().copied().unwrap_or(node), slot: 0 };
        Ok(Self {
            node,
            tail,
            group: None,
            held: None,
            steered: false,
            output,
            kind: operator.kind(view)?,
            operator,
        })
    }

    /// Holds the one operand of a product constant that is a gate, if the other is none: what adds up
    /// terms then is a layer that has the gate for its weights, and what does not scales.
    pub fn hold_gate(&mut self, graph: &Graph, gates: &BTreeSet<Value>) {
        if self.kind != Kind::Product || self.group.is_some() {
            return;
        }
        let recipients = self.recipients(graph);
        let mut held = recipients.iter().filter(|(_, value)| gates.contains(value));
        if let (2, Some(&(operand, _)), None) = (recipients.len(), held.next(), held.next()) {
            let adds_up = self.operator.adds_up_terms(graph.node(self.node));
            (self.held, self.kind) =
                (Some(operand), if adds_up { Kind::Weighted } else { Kind::Affine });
        }
    }

    /// Whether an operand of the node is held constant.
    fn holds(&self, graph: &Graph, operand: usize) -> bool {
        let steers = || self.operator.steers(graph.node(self.node), operand);
        self.held == Some(operand) || self.steered && steers()
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
        let view = graph.node(self.node);
        let operands = view.inputs().into_iter().enumerate();
        operands
            .filter_map(|(i, v)| Some((i, v?)))
            .filter(|&(i, v)| {
                graph.is_active(v) && self.operator.flows(view, i) && !self.holds(graph, i)
            })
            .collect()
    }

    /// The unit as a call, with its shifts and scales folded into weight and bias.
    pub fn call<'g, 'e>(
        &self,
        graph: &'g Graph,
        emitter: &'e Emitter,
    ) -> Result<Call<'g, 'e>, Error> {
        let view = graph.node(self.node);
        let mut call = Call::new(view, self.operator, self.group.clone(), emitter, self.output);
        for (operand, value) in view.inputs().into_iter().enumerate() {
            let Some(value) = value.filter(|_| self.role(graph, operand).is_some()) else {
                continue;
            };
            let source = graph.node(value.node);
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
            let step = graph.node(node);
            // `before` has seen that there is an operator.
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
    pub fn euler(&self, graph: &Graph) -> Option<Euler> {
        let Some(group) = &self.group else { return self.operator.euler(graph.node(self.node)) };
        let silu = patterns::silu().find(graph, self.node, &BTreeSet::new())?;
        silu.members.iter().eq(&group.members).then(|| Euler::gated(1.0))
    }

    /// How its subgraphs run, if it has some.
    pub fn runs(&self, graph: &Graph) -> Result<Option<Runs>, Error> {
        match self.group {
            Some(_) => Ok(None),
            None => self.operator.runs(graph.node(self.node)),
        }
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
            None => !self.holds(graph, operand) && graph.node(self.node).is_active(operand),
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
