//! Fresh graphs from old ones: how passes work on a graph that is append-only.

use std::collections::BTreeSet;

use petgraph::{Direction, visit::EdgeRef};

use super::{
    Graph, NodeIndex, Origin, Value,
    node::{Node, Slots},
};
use crate::onnx::schema::TensorProto;

/// What becomes of a node that the compiler added.
pub enum Verdict {
    /// It stays.
    Keep,
    /// This value of the fresh graph stands for its output.
    Replace(Value),
    /// It is a constant.
    Constant(Box<TensorProto>),
    /// Nothing needs it.
    Drop,
}

impl Graph {
    /// A fresh graph with what `outputs` need of what the compiler added.
    pub fn without_dead_nodes(&self, outputs: &[Value]) -> (Self, Vec<Value>) {
        let mut needed: BTreeSet<_> = outputs.iter().map(|value| value.node).collect();
        for node in self.nodes().rev() {
            if needed.contains(&node) {
                needed.extend(self.reads(node).map(|value| self.written(node, value).node));
            }
        }
        self.rebuild(self.nodes(), outputs, |node, _, _| {
            if needed.contains(&node) { Verdict::Keep } else { Verdict::Drop }
        })
    }

    /// What a node reads where it is written. A node of the source stands in the file as it was, and reads what
    /// a call gives, not the body that stands for the call.
    fn written(&self, reader: NodeIndex, value: Value) -> Value {
        match self.origin(reader) {
            Origin::Source(_) => self.canonical(value),
            _ => value,
        }
    }

    /// A fresh graph in which `decide` has its say on every node the compiler added, and `outputs`
    /// there. It is told the node, the index it would have, and its operands in the fresh graph.
    /// `order` has every node, and none before its operands.
    pub fn rebuild(
        &self,
        order: impl IntoIterator<Item = NodeIndex>,
        outputs: &[Value],
        mut decide: impl FnMut(NodeIndex, NodeIndex, &[Option<Value>]) -> Verdict,
    ) -> (Self, Vec<Value>) {
        let mut fresh = self.beside(self.path.clone());
        // Where each node went. A dropped node has no readers, so where it points is never asked.
        let mut moved = vec![NodeIndex::end(); self.dag.node_count()];
        for node in order {
            let at = |value: Value| Value { node: moved[value.node.index()], ..value };
            let read = |value: Value| at(self.written(node, value));
            let inputs: Vec<_> = self.inputs(node).into_iter().map(|v| v.map(read)).collect();
            let next = NodeIndex::new(fresh.dag.node_count());
            let verdict = match self.origin(node) {
                Origin::New(_) | Origin::NewConstant(_) | Origin::Body(_) => {
                    decide(node, next, &inputs)
                }
                _ => Verdict::Keep,
            };
            let place = match verdict {
                Verdict::Drop => NodeIndex::end(),
                Verdict::Replace(value) => value.node,
                Verdict::Constant(tensor) => {
                    let outputs = self.dag[node].outputs.clone();
                    fresh.append(Origin::NewConstant(tensor), &[], &[], outputs)
                }
                Verdict::Keep => {
                    let next = fresh.dag.add_node(Node { inputs, ..self.dag[node].clone() });
                    let edges = self.dag.edges_directed(node, Direction::Incoming);
                    let mut edges: Vec<_> = edges
                        .map(|edge| {
                            let Slots { from, to } = *edge.weight();
                            (to, read(Value { node: edge.source(), slot: from }))
                        })
                        .collect();
                    edges.sort_by_key(|&(to, _)| to);
                    for (to, Value { node, slot }) in edges {
                        fresh.dag.add_edge(node, next, Slots { from: slot, to });
                    }
                    next
                }
            };
            moved[node.index()] = place;
        }
        let at = |v: &Value| Value { node: moved[v.node.index()], ..*v };
        let named = self.names.iter().map(|(name, &v)| (name.clone(), at(&self.canonical(v))));
        fresh.names = named.collect();
        fresh.outputs = self.outputs.iter().map(at).collect();
        let kept = self.canonical.iter().map(|(body, call)| (at(body), at(call)));
        fresh.canonical = kept.filter(|(body, _)| body.node != NodeIndex::end()).collect();
        let outputs = outputs.iter().map(at).collect();
        (fresh, outputs)
    }
}
