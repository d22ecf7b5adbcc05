//! `dead-nodes`: what no output needs is not written.

use std::collections::BTreeSet;

use super::Pass;
use crate::graph::{Graph, Value, Verdict};

pub(super) struct DeadNodes;

impl Pass for DeadNodes {
    fn name(&self) -> &'static str {
        "dead-nodes"
    }

    fn graph(&self, graph: &Graph, outputs: &[Value]) -> (Graph, Vec<Value>) {
        let mut needed: BTreeSet<_> = outputs.iter().map(|value| value.node).collect();
        for node in graph.nodes().rev() {
            if needed.contains(&node) {
                needed.extend(graph.reads(node).map(|value| value.node));
            }
        }
        graph.rebuild(
            outputs,
            |node, _, _| {
                if needed.contains(&node) { Verdict::Keep } else { Verdict::Drop }
            },
        )
    }
}
