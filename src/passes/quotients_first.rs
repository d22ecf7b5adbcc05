//! `quotients-first`: what relevance is multiplied with stands before the sweep.
//!
//! ONNX Runtime executes depth first from the outputs, and of a node's operands takes the one that
//! stands last in the file. What stands before the sweep is so computed when the sweep needs it; what
//! stands within, a quotient `y / z` of a layer, would lie there from the forward run on, beside the
//! `y` and the `x` of `z` that are kept anyway. On its CPU that is 5 to 15 % of the memory of VGG16,
//! ResNet-50, DenseNet-121 and MobileNet-V2. A quotient of more than two activations, as behind a `SiLU`,
//! would have to keep the third, and stays.
//!
//! Runs at `-O2`, when what is equal is one, as it only reorders.

use std::collections::BTreeSet;

use super::{Action, Pass, Runs};
use crate::ir::{Graph, NodeIndex, Origin, Value, Verdict};

pub(super) const PASS: Pass =
    Pass { name: "quotients-first", runs: Runs::AtO2, action: Action::Graph(rewrite) };

/// The most activations that wait for the sweep to be divided.
const WAITING: usize = 2;

fn rewrite(graph: &Graph, outputs: &[Value]) -> (Graph, Vec<Value>) {
    let count = graph.nodes().len();
    let is_new = |node: NodeIndex| matches!(graph.origin(node), Origin::New(_));
    // What depends on relevance that was divided, and what activations a node depends on: up to
    // one more than may wait.
    let (mut swept, mut activations) = (vec![false; count], vec![BTreeSet::new(); count]);
    for node in graph.nodes() {
        let Origin::New(emitted) = graph.origin(node) else { continue };
        let mut own = BTreeSet::new();
        swept[node.index()] = emitted.is_quotient;
        for value in graph.reads(node) {
            let read = value.node.index();
            swept[node.index()] |= swept[read];
            own.extend(activations[read].iter().copied());
            own.extend(Some(value).filter(|v| !is_new(v.node) && graph.facts(*v).active));
        }
        activations[node.index()] = own.into_iter().take(WAITING + 1).collect();
    }
    let mut waits = vec![false; count];
    for node in graph.nodes().rev() {
        for read in graph.reads(node).map(|value| value.node.index()) {
            let meets = swept[node.index()] && !swept[read];
            waits[read] |= waits[node.index()] || meets && activations[read].len() <= WAITING;
        }
    }
    let mut stays = vec![false; count];
    for node in graph.nodes() {
        let behind = graph.reads(node).any(|value| stays[value.node.index()]);
        stays[node.index()] = behind || is_new(node) && !waits[node.index()];
    }
    let (last, first): (Vec<_>, Vec<_>) = graph.nodes().partition(|node| stays[node.index()]);
    graph.rebuild(first.into_iter().chain(last), outputs, |_, _, _| Verdict::Keep)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ir::Emitter, onnx::Model, passes::tests::added};

    #[test]
    fn a_quotient_of_two_activations_goes_first_and_one_of_three_stays() {
        let model = Model::open("fixtures/forms/mul_two_activations.op17.onnx").unwrap();
        let graph = crate::front::import(&model, &crate::ops::REGISTRY).unwrap();
        let emitter = Emitter::new(&graph);
        let [x, h, y] = ["x", "h", "y"].map(|name| emitter.value(graph.by_name(name).unwrap()));
        let s = y.sign().as_quotient();
        let outputs = [((s * (y / x)).relu() * (y - h * x)).value()];
        let emitted = emitter.finish();
        assert_eq!(added(&emitted), ["Sign", "Div", "Mul", "Relu", "Mul", "Sub", "Mul"]);
        let (fresh, _) = rewrite(&emitted, &outputs);
        assert_eq!(added(&fresh), ["Div", "Sign", "Mul", "Relu", "Mul", "Sub", "Mul"]);
    }
}
