//! `idle-expansions`: what is broadcast anyway is not expanded first.
//!
//! The gradient of a mean is one number for all that were averaged. Where it meets relevance or an
//! activation of their shape, elementwise operators broadcast it themselves, and nothing of that size
//! is written and read again.
//!
//! Runs at `-O2`, first of the graph passes, as what is expanded hides what is equal.

use std::collections::BTreeSet;

use super::{Action, Pass, Runs};
use crate::ir::{Dim, Graph, NodeIndex, Origin, Value, Verdict};

pub(super) const PASS: Pass =
    Pass { name: "idle-expansions", runs: Runs::AtO2, action: Action::Graph(rewrite) };

fn rewrite(graph: &Graph, outputs: &[Value]) -> (Graph, Vec<Value>) {
    let is = |node: NodeIndex, op_types: &[&str]| match graph.origin(node) {
        Origin::New(emitted) => op_types.contains(&&*emitted.op_type),
        _ => false,
    };
    let expands = |node| is(node, &["Expand"]);
    let mut needed: BTreeSet<_> = outputs.iter().map(|value| value.node).collect();
    for node in graph.nodes() {
        let operands: Vec<_> = graph.reads(node).collect();
        let broadcasts = is(node, &["Add", "Sub", "Mul", "Div"]);
        let shape = |value: &Value| graph.ty(*value).shape.as_deref();
        for value in operands.iter().filter(|value| expands(value.node)) {
            let known = shape(value).is_some_and(|dims| !dims.contains(&Dim::Unknown));
            let same = |other: &Value| !expands(other.node) && shape(other) == shape(value);
            if !(broadcasts && known && operands.iter().any(same)) {
                needed.insert(value.node);
            }
        }
    }
    graph.rebuild(graph.nodes(), outputs, |node, _, inputs| match inputs.first() {
        Some(Some(value)) if value.slot == 0 && expands(node) && !needed.contains(&node) => {
            Verdict::Replace(*value)
        }
        _ => Verdict::Keep,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::passes::tests::{added, relu};

    #[test]
    fn what_meets_its_own_shape_is_not_expanded() {
        let (emitter, x) = relu();
        let x = emitter.value(x);
        let mean = x.sum(&[1], true).expand_like(x);
        let outputs = [(x * mean).value()];
        let (fresh, outputs) = rewrite(&emitter.finish(), &outputs);
        assert_eq!(added(&fresh), ["ReduceSum", "Shape", "Mul"]);
        assert_eq!(fresh.ty(outputs[0]).shape, fresh.ty(fresh.by_name("x").unwrap()).shape);
    }

    #[test]
    fn what_has_no_other_shape_to_take_is_expanded() {
        let (emitter, x) = relu();
        let x = emitter.value(x);
        let mean = x.sum(&[1], true).expand_like(x);
        let outputs = [(mean + mean).value()];
        let (fresh, _) = rewrite(&emitter.finish(), &outputs);
        assert_eq!(added(&fresh), ["ReduceSum", "Shape", "Expand", "Add"]);
    }
}
