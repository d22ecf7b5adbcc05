//! `common-subexpressions`: nodes that compute the same are one, and so are equal constants.
//!
//! Units are emitted one by one, each as if it were alone: two that share weights would each have
//! their twin, and two consumers of a value would each have its sign.
//!
//! Runs at `-O2`, when all that writes new nodes has run.

use std::collections::{BTreeMap, btree_map::Entry};

use prost::Message;

use super::{Action, Pass, Runs};
use crate::ir::{Graph, Origin, Value, Verdict};

pub(super) const PASS: Pass =
    Pass { name: "common-subexpressions", runs: Runs::AtO2, action: Action::Graph(rewrite) };

fn rewrite(graph: &Graph, outputs: &[Value]) -> (Graph, Vec<Value>) {
    let mut seen = BTreeMap::new();
    graph.rebuild(graph.nodes(), outputs, |node, next, inputs| {
        let (op_type, contents) = match graph.origin(node) {
            // Subgraphs are not compared.
            Origin::New(emitted) if graph.children(node).is_empty() => {
                let attributes = emitted.attributes.iter().map(Message::encode_to_vec);
                (&*emitted.op_type, attributes.collect())
            }
            Origin::NewConstant(tensor) => ("Constant", vec![tensor.encode_to_vec()]),
            _ => return Verdict::Keep,
        };
        match seen.entry((op_type, contents, inputs.to_vec())) {
            Entry::Occupied(same) => Verdict::Replace(*same.get()),
            Entry::Vacant(new) => {
                new.insert(Value { node: next, slot: 0 });
                Verdict::Keep
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::passes::tests::{added, relu};

    #[test]
    fn equal_nodes_become_one_and_their_readers_follow() {
        let (emitter, x) = relu();
        let x = emitter.value(x);
        let sum = (x.abs() + x.sign()) * (x.abs() - x.sign());
        let outputs = [sum.value()];
        let emitted = emitter.finish();
        assert_eq!(added(&emitted).len(), 7);
        let (fresh, outputs) = rewrite(&emitted, &outputs);
        assert_eq!(added(&fresh), ["Abs", "Sign", "Add", "Sub", "Mul"]);
        assert_eq!(fresh.node(outputs[0].node).op_type(), "Mul");
    }

    #[test]
    fn what_subgraphs_read_follows_too() {
        let (emitter, x) = relu();
        let x = emitter.value(x);
        let condition = x.sum(&[0, 1], false).greater(0.0);
        let (a, b) = (x.abs(), x.abs());
        let branch = || emitter.branch(condition, || Ok(vec![a * 2.0]), || Ok(vec![b])).unwrap()[0];
        let outputs = [(branch() + branch()).value()];
        let (fresh, outputs) = rewrite(&emitter.finish(), &outputs);
        let (fresh, outputs) = fresh.without_dead_nodes(&outputs);
        assert_eq!(added(&fresh), ["ReduceSum", "Greater", "Abs", "If", "If", "Add"]);
        let [first, second] = fresh.inputs(outputs[0].node)[..] else { panic!() };
        for branch in [first, second].map(|value| value.unwrap().node) {
            let captured = fresh.captured(branch);
            let read: Vec<_> = captured.iter().map(|v| fresh.node(v.node).op_type()).collect();
            assert_eq!((read.as_slice(), captured[0]), (&["Abs", "Abs"][..], captured[1]));
        }
    }
}
