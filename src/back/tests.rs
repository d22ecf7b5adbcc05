//! That the subgraphs of formulas are written and mean what they say.

use std::fs;

use ndarray::{Array as Tensor, ArrayD};

use super::{Output, addition};
use crate::{
    front::import,
    ir::{Emitter, Expr, build::subgraph::Along},
    onnx::{Model, encode},
    ops::REGISTRY,
    verify::{
        runtime::Locate,
        session::{Array, Device, Runner, Source},
    },
};

/// Writes what `formula` makes of the input of a model, as the output `result`, and runs it.
fn computed(
    x: &ArrayD<f32>,
    formula: impl for<'e> FnOnce(&'e Emitter, Expr<'e>) -> Expr<'e>,
) -> (Model, ArrayD<f64>) {
    let model = Model::open("fixtures/forms/relu.op17.onnx").unwrap();
    let graph = import(&model, &REGISTRY).unwrap();
    let emitter = Emitter::new(&graph);
    emitter.enter("relu");
    let result = formula(&emitter, emitter.value(graph.by_name("x").unwrap()));
    let (value, ty) = (result.value(), result.ty());
    emitter.check().unwrap();
    let output = Output { name: "result".into(), value, ty };
    let addition = addition(&emitter.finish(), &[output]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    fs::write(&path, encode(model.proto(), &addition).concat()).unwrap();
    let mut runner =
        Runner::new(&Source::File(&path), true, Device::Cpu, &Locate::default()).unwrap();
    let results = runner.run(&[("x".into(), Array::Float32(x.clone()))]).unwrap();
    let result = results.iter().find(|(name, _)| name == "result").unwrap();
    (Model::open(&path).unwrap(), result.1.numbers())
}

#[test]
fn formulas_branch() {
    for (sign, factor) in [(1.0f32, 3.0), (-1.0, -2.0)] {
        let x = Tensor::from_shape_fn(vec![2, 6], |i| sign * (1 + i[0] + 2 * i[1]) as f32);
        let (model, result) = computed(&x, |emitter, x| {
            let doubled = x * 2.0;
            let condition = x.sum(&[0, 1], false).greater(0.0);
            let then = || {
                // Three graphs deep, on values of all three.
                let sum = doubled + x;
                emitter.branch(
                    sum.sum(&[0, 1], false).greater(-1e9),
                    || Ok(vec![sum * 1.0]),
                    || Ok(vec![doubled]),
                )
            };
            emitter.branch(condition, then, || Ok(vec![-doubled])).unwrap()[0]
        });
        let expected = x.mapv(|v| f64::from(v) * factor);
        assert_eq!(result, expected);
        // It is read back, with the types that the branches give it.
        let graph = import(&model, &REGISTRY).unwrap();
        let result = graph.by_name("result").unwrap();
        assert_eq!(graph.type_text(graph.ty(result)), "f32[N, 6]");
        assert_eq!(graph.children(result.node).len(), 2);
        assert!(graph.is_active(result));
    }
}

#[test]
fn formulas_scan() {
    let x = Tensor::from_shape_fn(vec![3, 6], |i| (1 + i[0] * 6 + i[1]) as f32);
    let (_, result) = computed(&x, |emitter, x| {
        let along = |axis, backwards| Along { axis, backwards };
        let zero = x.sum(&[1], false) * 0.0;
        let scanned = [(x, along(1, true))];
        let results = emitter.scan(&[zero], &scanned, &[along(1, true)], |states, parts| {
            // What lies around is seen from inside.
            let sum = states[0] + parts[0] + zero;
            Ok(vec![sum, sum])
        });
        results.unwrap()[1]
    });
    // Sums from the last column to the first.
    let expected = Tensor::from_shape_fn(vec![3, 6], |i| {
        (i[1]..6).map(|j| f64::from(x[[i[0], j]])).sum::<f64>()
    });
    assert_eq!(result, expected);
}
