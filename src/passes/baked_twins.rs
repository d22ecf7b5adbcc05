//! `baked-twins`: what is computed of constants alone is written as a constant.
//!
//! Runtimes fold such nodes when they load a model, so that by default a file does not grow by its
//! weights; this is for those that do not. It is the only pass that reads weights.
//!
//! Runs with `--bake-twins`, before `dead-nodes`, which removes what the constants were computed from.

use super::{Action, Pass, Runs};
use crate::{
    ir::{Evaluator, Graph, Origin, Value, Verdict},
    onnx::schema::TensorProto,
};

pub(super) const PASS: Pass =
    Pass { name: "baked-twins", runs: Runs::OnRequest, action: Action::Graph(rewrite) };

fn rewrite(graph: &Graph, outputs: &[Value]) -> (Graph, Vec<Value>) {
    let mut evaluator = Evaluator::new(graph);
    graph.rebuild(graph.nodes(), outputs, |node, _, _| {
        let value = Value { node, slot: 0 };
        let added = matches!(graph.origin(node), Origin::New(_)) && !graph.is_active(value);
        // What only other such nodes read is not needed.
        let read = graph
            .readers(value)
            .any(|reader| graph.outputs(reader).any(|result| graph.is_active(result)));
        if !added || !read || !graph.ty(value).is_float() {
            return Verdict::Keep;
        }
        match evaluator.value(value) {
            Some(array) => Verdict::Constant(Box::new(TensorProto::of_floats(
                graph.ty(value).elem,
                array.shape(),
                array.floats().unwrap_or_default(),
            ))),
            None => Verdict::Keep,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ir::Emitter, onnx::Model};

    #[test]
    fn what_is_computed_of_weights_is_a_constant() {
        let model = Model::open("fixtures/forms/gemm.op17.onnx").unwrap();
        let graph = crate::front::import(&model, &crate::ops::REGISTRY).unwrap();
        let emitter = Emitter::new(&graph);
        let weights = graph.node(graph.by_name("y").unwrap().node).input(1).unwrap();
        let x = emitter.value(graph.by_name("x").unwrap());
        let twin = emitter.value(weights).relu();
        let list = |n: i64| Some(emitter.ints(&[n]));
        let turned = [Some(twin), list(-1), list(i64::MIN), list(1), list(-2)];
        let turned = emitter.emit("Slice", &turned, vec![]);
        let outputs = [(x.sum(&[0, 1], true) * turned).value()];
        let (fresh, outputs) = rewrite(&emitter.finish(), &outputs);
        let baked = fresh.node(outputs[0].node).input(1).unwrap();
        assert!(matches!(fresh.origin(baked.node), Origin::NewConstant(_)));
        let array = Evaluator::new(&fresh).value(baked).unwrap();
        let w = Evaluator::new(&graph).value(weights).unwrap();
        let (columns, kept) = (w.shape()[1], array.shape()[1]);
        let rows = array.floats().unwrap().chunks(kept).zip(w.floats().unwrap().chunks(columns));
        for (row, want) in rows {
            let want: Vec<_> = (0..columns).rev().step_by(2).map(|i| want[i].max(0.0)).collect();
            assert_eq!(row, want);
        }
    }
}
