//! What relevance crosses in the subgraphs of a node: the units of a plan within a unit.

use std::{collections::BTreeSet, sync::Arc};

use super::{Planned, RuleOf, Walk, Walked};
use crate::{
    error::Problem,
    ir::{Graph, NodeIndex, Origin, Runs, State, Value},
    onnx::shown::beginning,
};

/// The plan of a node with subgraphs.
pub struct Inner {
    /// How they run.
    pub runs: Runs,
    /// What is crossed in each of them.
    pub bodies: Vec<Body>,
    /// What is crossed in the first run, where that differs: what starts as a constant is none later.
    pub first: Option<Body>,
    /// The values outside that get relevance.
    pub recipients: BTreeSet<Value>,
}

/// What is crossed in a subgraph.
pub struct Body {
    /// The subgraph.
    pub graph: Arc<Graph>,
    /// The units, from the results to the inputs.
    pub units: Vec<Planned>,
    /// The values that get relevance which leads on.
    pub receives: BTreeSet<Value>,
}

impl Walk<'_> {
    /// Plans what is crossed in the subgraphs of a node, some results of which get relevance. Gives what has no
    /// rule in them, too.
    pub(super) fn inner(
        &self,
        node: NodeIndex,
        runs: Runs,
        receives: &BTreeSet<Value>,
        rule_of: &RuleOf,
    ) -> (Inner, Vec<Problem>) {
        let graph = self.graph;
        let received = |result: usize| receives.contains(&Value { node, slot: result as u32 });
        let mut inner =
            Inner { runs, bodies: Vec::new(), first: None, recipients: BTreeSet::new() };
        let mut problems = Vec::new();
        for child in graph.children(node) {
            let mut outputs: BTreeSet<_> = match &inner.runs {
                Runs::Either(..) => {
                    (0..child.graph.outputs.len()).filter(|&i| received(i)).collect()
                }
                Runs::Repeated(steps) => {
                    let results = steps.results().filter(|&(_, result)| received(result));
                    results.map(|(output, _)| output).collect()
                }
            };
            // What a state gets in one run is relevance of the same state's output in the run before.
            let walked = loop {
                let walked = self.inside(&child.graph, &outputs, rule_of);
                let before = outputs.len();
                outputs.extend(inner.carried(&child.graph, &walked).map(|s| s.output));
                if outputs.len() == before {
                    break walked;
                }
            };
            let is_constant =
                |s: State| graph.node(node).input(s.operand).is_none_or(|v| !graph.is_active(v));
            let starts_constant = inner.carried(&child.graph, &walked).any(is_constant);
            if let Some(first) = child.first.as_ref().filter(|_| starts_constant) {
                let walked = self.inside(first, &outputs, rule_of);
                inner.recipients.extend(inner.given(graph, node, first, &walked));
                inner.first = Some(Body::new(first.clone(), walked).0);
            }
            inner.recipients.extend(inner.given(graph, node, &child.graph, &walked));
            let (body, unsupported) = Body::new(child.graph.clone(), walked);
            let outer = beginning(graph.label(node));
            problems.extend(
                unsupported.into_iter().map(|problem| Problem {
                    node: format!("{outer}/{}", problem.node),
                    ..problem
                }),
            );
            inner.bodies.push(body);
        }
        inner.recipients.retain(|v| graph.is_active(*v) && self.wanted.contains(v));
        (inner, problems)
    }

    /// What relevance of some outputs crosses in a subgraph.
    fn inside(&self, child: &Graph, outputs: &BTreeSet<usize>, rule_of: &RuleOf) -> Walked {
        let captured: Vec<_> = places(child).map(|(v, _)| v).collect();
        let walk = Walk::new(child, &[], &captured, self.layers.units);
        let from = child.graph_outputs().enumerate().filter(|(i, _)| outputs.contains(i));
        walk.back(from.map(|(_, v)| v).filter(|&v| child.is_active(v)).collect(), rule_of)
    }
}

impl Inner {
    /// The states that get relevance in a subgraph.
    fn carried(&self, child: &Graph, walked: &Walked) -> impl Iterator<Item = State> {
        let inputs: Vec<_> = child.graph_inputs().map(|v| walked.receives.contains(&v)).collect();
        let states = match &self.runs {
            Runs::Either(..) => Vec::new(),
            Runs::Repeated(steps) => steps.states.clone(),
        };
        states.into_iter().filter(move |s| inputs.get(s.input) == Some(&true))
    }

    /// What gets relevance around a subgraph.
    fn given(&self, graph: &Graph, node: NodeIndex, child: &Graph, walked: &Walked) -> Vec<Value> {
        let captured = graph.captured(node);
        let places = places(child).filter(|(v, _)| walked.receives.contains(v));
        let mut given: Vec<_> = places.filter_map(|(_, i)| captured.get(i).copied()).collect();
        if let Runs::Repeated(steps) = &self.runs {
            let inputs: Vec<_> = child.graph_inputs().collect();
            let gets = |&(input, _): &(usize, usize)| {
                inputs.get(input).is_some_and(|v| walked.receives.contains(v))
            };
            let operands = steps.operands().filter(gets);
            given.extend(operands.filter_map(|(_, i)| graph.node(node).input(i)));
        }
        given
    }
}

impl Body {
    fn new(graph: Arc<Graph>, walked: Walked) -> (Self, Vec<Problem>) {
        let Walked { units, receives, unsupported, .. } = walked;
        (Self { graph, units, receives }, unsupported)
    }
}

/// What a subgraph captures, with the places.
pub fn places(child: &Graph) -> impl Iterator<Item = (Value, usize)> + '_ {
    child.nodes().filter_map(|node| match child.origin(node) {
        Origin::Captured(place) => Some((Value { node, slot: 0 }, *place)),
        _ => None,
    })
}
