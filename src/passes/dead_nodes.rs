//! `dead-nodes`: what no output needs is not written.
//!
//! Runs at every level, last, when it shows what is needed.

use std::collections::BTreeSet;

use super::{Action, Pass, Runs};
use crate::ir::{Graph, Value, Verdict};

pub(super) const PASS: Pass =
    Pass { name: "dead-nodes", runs: Runs::Always, action: Action::Graph(rewrite) };

fn rewrite(graph: &Graph, outputs: &[Value]) -> (Graph, Vec<Value>) {
    let mut needed: BTreeSet<_> = outputs.iter().map(|value| value.node).collect();
    for node in graph.nodes().rev() {
        if needed.contains(&node) {
            needed.extend(graph.reads(node).map(|value| value.node));
        }
    }
    graph.rebuild(graph.nodes(), outputs, |node, _, _| {
        if needed.contains(&node) { Verdict::Keep } else { Verdict::Drop }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::passes::tests::{added, relu};

    #[test]
    fn only_what_an_output_needs_is_left() {
        let (emitter, x) = relu();
        let x = emitter.value(x);
        let kept = x.abs();
        let _dropped = x.sign() * kept;
        let outputs = [(kept * 2.0).value()];
        let (fresh, outputs) = rewrite(&emitter.finish(), &outputs);
        assert_eq!(added(&fresh), ["Abs", "Mul"]);
        // The source is no pass's business.
        assert!(fresh.by_name("y").is_some());
        assert_eq!(fresh.node(outputs[0].node).op_type(), "Mul");
    }
}
