//! What a file claims and need not hold when it runs: defaults that are replaced, sizes that were fixed
//! once, and numbers that turn out to be none.

use std::path::Path;

use libtest_mimic::Trial;
use ndarray::{ArrayD, Axis, IxDyn};
use prost::Message;

use crate::common::{
    Array, DataType, Init, LEVELS, Model, ModelProto, Options, TensorProto, compile, each_model,
    explain, fixture, inspect, models, run, sample, stem, trials,
};

pub fn trials() -> Vec<Trial> {
    let properties = [
        each_model("claims::gradient", models("claims"), gradients_are_those_of_what_is_fed),
        each_model("claims::finite", models("claims"), relevance_is_finite_under_every_rule),
        trials![declarations_that_nothing_holds_are_warned_of, defaults_of_weights_are_weights],
    ];
    properties.into_iter().flatten().collect()
}

fn floats(shape: &[usize], values: &[f32]) -> Array {
    Array::Float32(ArrayD::from_shape_vec(IxDyn(shape), values.to_vec()).unwrap())
}

fn ints(values: &[i64]) -> Array {
    Array::Int64(ArrayD::from_shape_vec(IxDyn(&[values.len()]), values.to_vec()).unwrap())
}

fn truth(shape: &[usize]) -> Array {
    Array::Bool(ArrayD::from_elem(IxDyn(shape), false))
}

/// What is fed beside `x`, other than what the files say, and the shape of `x`.
fn others(name: &str) -> (Vec<(String, Array)>, &'static [usize]) {
    const NONE: f32 = f32::NEG_INFINITY;
    let row = [NONE, NONE, NONE, 0.0, NONE, 0.0, 0.0, 0.0, 0.0];
    let (feeds, shape): (Vec<(&str, Array)>, &[usize]) = match name {
        "default_bounds" => (vec![("s", ints(&[2])), ("e", ints(&[5]))], &[2, 6, 4]),
        "default_factor" => (vec![("k", floats(&[1], &[-1.5]))], &[2, 4]),
        "default_exponent" => (vec![("p", floats(&[], &[3.0]))], &[2, 4]),
        "default_shape" => (vec![("s", ints(&[3, 4]))], &[2, 6]),
        "default_indices" => (vec![("i", ints(&[4, -3]))], &[2, 5]),
        "default_clip" => (vec![("l", floats(&[], &[-0.7])), ("h", floats(&[], &[0.9]))], &[2, 6]),
        "default_choice" => (vec![("c", truth(&[1]))], &[2, 4]),
        "default_branch" => (vec![("c", truth(&[]))], &[2, 4]),
        "default_pads" => (vec![("p", ints(&[0, 0, 0, 2]))], &[2, 4]),
        "default_weights" => (vec![("b", floats(&[3], &[0.3, -0.2, 0.1]))], &[2, 2, 5]),
        "listed_constants" => (vec![], &[2, 6]),
        "mask_of_an_input" => (
            vec![("mask", floats(&[3, 3], &[0.0, NONE, NONE, 0.0, 0.0, NONE, 0.0, 0.0, 0.0]))],
            &[2, 3, 4],
        ),
        "mask_that_overflows" => (
            vec![("keep", floats(&[3, 3], &[1.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0, 1.0]))],
            &[2, 3, 4],
        ),
        "masked_row" | "masked_row_of_logs" => (vec![("mask", floats(&[3, 3], &row))], &[2, 3, 4]),
        "no_shape" => (vec![], &[2, 2, 5, 5]),
        "stale_sizes" | "stale_nameless_sizes" => (vec![], &[2, 3, 6, 5]),
        _ => (vec![], &[2, 4]),
    };
    (feeds.into_iter().map(|(name, array)| (name.to_string(), array)).collect(), shape)
}

/// A model on `x`, and on what others are fed beside it. Defaults are replaced in a copy of its file.
fn fed(path: &Path, name: &str, x: &ArrayD<f64>, output: &str) -> ArrayD<f64> {
    let (others, _) = others(name);
    let x = ("x".to_string(), Array::Float32(x.mapv(|v| v as f32)));
    let mut proto = ModelProto::decode(std::fs::read(path).unwrap().as_slice()).unwrap();
    for tensor in &mut proto.graph.as_mut().unwrap().initializer {
        if let Some((_, array)) = others.iter().find(|(name, _)| name == tensor.name()) {
            let mut given = match array {
                Array::Int64(ints) => TensorProto::of_ints(ints.shape(), ints.as_slice().unwrap()),
                Array::Bool(truths) => TensorProto {
                    dims: truths.shape().iter().map(|&n| n as i64).collect(),
                    data_type: Some(DataType::Bool as i32),
                    raw_data: Some(truths.iter().map(|&truth| truth.into()).collect()),
                    ..TensorProto::default()
                },
                floats => {
                    let numbers = floats.numbers();
                    let list = numbers.as_slice().unwrap();
                    TensorProto::of_floats(DataType::Float, floats.shape(), list)
                }
            };
            given.name.clone_from(&tensor.name);
            *tensor = given;
        }
    }
    let directory = tempfile::tempdir().unwrap();
    let copy = directory.path().join("fed.onnx");
    std::fs::write(&copy, proto.encode_to_vec()).unwrap();
    run(&copy, false, &[x].into_iter().chain(others).collect::<Vec<_>>(), output)
}

/// Numbers of either sign, and away from the kinks of what the models are made of. In the first row none
/// is positive, so that what is guarded there is not taken.
fn numbers(name: &str) -> ArrayD<f64> {
    let mut x = sample(others(name).1, DataType::Float, 5).unwrap().numbers();
    x.mapv_inplace(|v| v + 0.05 * v.signum());
    if name.starts_with("guarded") {
        x.index_axis_mut(Axis(0), 0).mapv_inplace(|v| -v.abs());
        x.index_axis_mut(Axis(0), 1).mapv_inplace(|v| v.abs() + 0.9);
    }
    x
}

/// What cannot be known may be refused, and is then called by its name.
fn refused(path: &Path, options: &Options) -> Option<String> {
    let model = Model::open(path).unwrap();
    explain(&model, options).err().map(|error| error.to_string())
}

fn gradients_are_those_of_what_is_fed(path: &Path) {
    const STEP: f64 = 1e-3;
    let name = stem(path);
    for level in LEVELS {
        let options = Options {
            rule: "gradient".parse().unwrap(),
            output: Some("y".into()),
            after_softmax: true,
            init: Init::One,
            level,
            ..Options::default()
        };
        if let Some(error) = refused(path, &options) {
            let expected = match name.as_str() {
                "default_pads" => "how much Pad adds is not known",
                "default_branch" => "an If whose branch is chosen at run time cannot be explained",
                _ => "",
            };
            assert!(!expected.is_empty() && error.contains(expected), "{error}");
            continue;
        }
        let directory = tempfile::tempdir().unwrap();
        let explained = compile(path, &options, directory.path());
        let x = numbers(&name);
        let r = fed(&explained, &name, &x, "x_relevance");
        let value = |x: &ArrayD<f64>| fed(path, &name, x, "y").sum();
        let mut expected = ArrayD::zeros(x.shape());
        for at in 0..x.len() {
            let moved = |by: f64| {
                let mut moved = x.clone();
                moved.as_slice_mut().unwrap()[at] += by;
                value(&moved)
            };
            expected.as_slice_mut().unwrap()[at] = (moved(STEP) - moved(-STEP)) / (2.0 * STEP);
        }
        let size = |a: &ArrayD<f64>| a.iter().map(|v| v.abs()).sum::<f64>();
        let apart = size(&(&r - &expected)) / size(&expected);
        assert!(apart < 2e-2, "{level}: {apart:.1e} apart: {r} is not {expected}");
    }
}

fn relevance_is_finite_under_every_rule(path: &Path) {
    let name = stem(path);
    for rule in ["abslrp", "abslrp-notebook", "gradient-x-input", "epsilon", "gamma", "alpha-beta"]
    {
        for level in LEVELS {
            let options = Options {
                rule: rule.parse().unwrap(),
                output: Some("y".into()),
                after_softmax: true,
                level,
                ..Options::default()
            };
            if refused(path, &options).is_some() {
                continue;
            }
            let directory = tempfile::tempdir().unwrap();
            let explained = compile(path, &options, directory.path());
            let r = fed(&explained, &name, &numbers(&name), "x_relevance");
            assert!(r.iter().all(|v| v.is_finite()), "{rule} {level}: {r}");
        }
    }
}

fn declarations_that_nothing_holds_are_warned_of() {
    for (name, what) in [
        ("wrong_rank", ["the file declares 'y' otherwise than it is: rank 0 is not 2"].as_slice()),
        ("wrong_size", &["the file declares 'y' otherwise than it is: size 7 is not 3"]),
        ("wrong_note", &["the file declares 'l' otherwise than it is: size 9 is not 3"]),
        ("stale_sizes", &[]),
    ] {
        let model = Model::open(fixture(&format!("claims/{name}.onnx"))).unwrap();
        let explanation = explain(&model, &Options::default()).unwrap();
        assert_eq!(explanation.summary().warnings, what, "{name}");
    }
}

/// What is baked of a weight would be that of its default.
fn defaults_of_weights_are_weights() {
    let model = Model::open(fixture("claims/default_weights.onnx")).unwrap();
    let [plain, baked] = [false, true].map(|bake_twins| {
        let options = Options { bake_twins, ..Options::default() };
        explain(&model, &options).unwrap().addition().clone()
    });
    assert_eq!((plain.nodes, plain.initializers), (baked.nodes, baked.initializers));
    let units = inspect(&model, &Options::default()).unwrap().units;
    assert!(units.iter().any(|unit| (unit.operators.as_str(), unit.kind) == ("Conv", "weighted")));
}
