//! Every rule and preset against zennit in float64, and `abslrp-official` against the released procedure
//! written out (fixtures/rulebook.py), on networks of many shapes.

#![allow(clippy::unwrap_used)]

mod common;

use abslrp::options::{Init, Normalize, Options, Reduce, Target};
use common::{LEVELS, compile, distance, feed, fixture, models, run, stem};
use ndarray::{ArrayD, Axis};
use ndarray_npy::NpzReader;

fn options(text: &str) -> Options {
    match text.split_once(' ').unwrap() {
        ("--rule", rule) => Options { rule: rule.parse().unwrap(), ..Options::default() },
        (_, name) => Options { composite: Some(name.parse().unwrap()), ..Options::default() },
    }
}

#[test]
fn rules_are_those_of_zennit() {
    let mut compared = 0;
    for path in models("rulebook") {
        let file = std::fs::File::open(path.with_extension("npz")).unwrap();
        let mut golden = NpzReader::new(file).unwrap();
        let x: ArrayD<f32> = golden.by_name("in.npy").unwrap();
        let names: Vec<_> =
            golden.names().unwrap().into_iter().filter(|n| n.starts_with("--")).collect();
        for name in names.iter().filter(|name| !name.contains(" tolerance")) {
            let text = name.trim_end_matches(".npy");
            let exact: ArrayD<f32> = golden.by_name(name).unwrap();
            let tolerance: ArrayD<f64> = golden.by_name(&format!("{text} tolerance")).unwrap();
            for level in LEVELS {
                let directory = tempfile::tempdir().unwrap();
                let explained =
                    compile(&path, &Options { level, ..options(text) }, directory.path());
                let r = run(&explained, true, &feed("x", &x), "x_relevance");
                let apart = distance(&r, &exact.mapv(f64::from));
                assert!(apart <= tolerance[[]], "{} {text} {level}: {apart:.1e}", stem(&path));
                compared += 1;
            }
        }
    }
    assert!(compared > 22 * 19, "only {compared} were compared");
}

/// Several targets, from the graph input or not, are the maps of single targets side by side.
#[test]
fn maps_of_several_targets_are_those_of_each() {
    let path = fixture("rulebook/residual_2d.onnx");
    let x = input("residual_2d");
    let map = |target: &str| {
        let directory = tempfile::tempdir().unwrap();
        let target: Target = target.parse().unwrap();
        let mut feeds = feed("x", &x);
        if target == Target::Inputs(2) {
            let targets = ndarray::arr2(&[[2i64, 0], [2, 0]]).into_dyn();
            feeds.push(("target".into(), abslrp::verify::session::Array::Int64(targets)));
        }
        let options = Options { target, ..Options::default() };
        run(&compile(&path, &options, directory.path()), false, &feeds, "x_relevance")
    };
    let several = map("2,0");
    for (at, index) in ["2", "0"].into_iter().enumerate() {
        let one = map(index);
        assert!(distance(&several.index_axis(Axis(1), at).to_owned(), &one) < 1e-6);
    }
    assert!(distance(&map("input:2"), &several) < 1e-6);
}

/// With --init one a contrast is the target's map less the mean of the others': under a linear rule in
/// one sweep.
#[test]
fn a_contrast_is_less_what_the_others_get() {
    let path = fixture("rulebook/residual_2d.onnx");
    let x = input("residual_2d");
    let map = |target: &str, contrastive: bool| {
        let (target, rule) = (target.parse().unwrap(), "epsilon".parse().unwrap());
        of(&path, &x, &Options { target, contrastive, rule, init: Init::One, ..Options::default() })
    };
    let expected = map("1", false) - (map("0", false) + map("2", false)) / 2.0;
    assert!(distance(&map("1", true), &expected) < 1e-4);
}

/// The gradient of what --init softmax starts from is the gradient of the softmax score.
#[test]
fn softmax_starts_from_the_gradient_of_the_score() {
    const STEP: f32 = 1e-2;
    let path = fixture("rulebook/perceptron.onnx");
    let x = input("perceptron");
    let options = Options {
        target: "1".parse().unwrap(),
        rule: "gradient".parse().unwrap(),
        init: Init::Softmax,
        ..Options::default()
    };
    let r = of(&path, &x, &options);
    let score = |x: &ArrayD<f32>| {
        let e = run(&path, false, &feed("x", x), "y").mapv(f64::exp);
        let sums = e.sum_axis(Axis(1)).insert_axis(Axis(1));
        (e / sums).index_axis(Axis(1), 1).sum()
    };
    let v = ArrayD::from_shape_fn(x.shape(), |i| ((3 * i[0] + 5 * i[1]) % 7) as f32 / 7.0 - 0.5);
    let forward = (score(&(&x + &v * STEP)) - score(&(&x - &v * STEP))) / f64::from(2.0 * STEP);
    let backward = (&r * &v.mapv(f64::from)).sum();
    assert!((forward - backward).abs() < 1e-3 * forward.abs().max(1e-3), "{forward} {backward}");
}

#[test]
fn maps_are_summed_and_scaled_as_asked() {
    let path = fixture("rulebook/residual_2d.onnx");
    let x = input("residual_2d");
    let plain = of(&path, &x, &Options::default());
    let channels = Options { reduce: Reduce::Channels, ..Options::default() };
    let reduced = of(&path, &x, &channels);
    assert!(distance(&reduced, &plain.sum_axis(Axis(1))) < 1e-6);
    for normalize in [Normalize::Sum, Normalize::Max] {
        let scaled = of(&path, &x, &Options { normalize, ..channels.clone() });
        for (scaled, reduced) in scaled.outer_iter().zip(reduced.outer_iter()) {
            let magnitudes = reduced.mapv(f64::abs);
            let scale = match normalize {
                Normalize::Sum => magnitudes.sum(),
                _ => magnitudes.iter().copied().fold(0.0, f64::max),
            };
            assert!(distance(&scaled.to_owned(), &(&reduced / scale)) < 1e-5);
        }
    }
}

/// LRP-0 divides by what it finds, but where that is nothing.
#[test]
fn without_a_stabiliser_maps_are_finite() {
    let path = fixture("rulebook/bias_free_2d.onnx");
    let x = ArrayD::zeros(input("bias_free_2d").shape());
    let options = Options { rule: "epsilon:epsilon=0".parse().unwrap(), ..Options::default() };
    assert!(of(&path, &x, &options).iter().all(|v| *v == 0.0));
}

fn input(name: &str) -> ArrayD<f32> {
    let file = std::fs::File::open(fixture(&format!("rulebook/{name}.npz"))).unwrap();
    NpzReader::new(file).unwrap().by_name("in.npy").unwrap()
}

fn of(path: &std::path::Path, x: &ArrayD<f32>, options: &Options) -> ArrayD<f64> {
    let directory = tempfile::tempdir().unwrap();
    run(&compile(path, options, directory.path()), false, &feed("x", x), "x_relevance")
}

/// A match of a configuration that hits nothing is an error that names what there is.
#[test]
fn configurations_say_which_layers_they_are_for() {
    let text = r#"
        rest = "epsilon"
        [[match]]
        first = true
        rule = "flat"
        [[match]]
        operators = ["Conv"]
        depth = [1, 3]
        rule = "gamma:gamma=0.5"
        [[match]]
        name = "/9/*"
        rule = "zplus"
    "#;
    let composite: abslrp::rules::Composite = toml::from_str(text).unwrap();
    let path = fixture("rulebook/plain_2d.onnx");
    let model = abslrp::onnx::Model::open(&path).unwrap();
    let options = Options { composite: Some(composite), ..Options::default() };
    let error = abslrp::compile(&model, &options).unwrap_err().to_string();
    insta::assert_snapshot!(error, @"the match ''/9/*'' of the composite fits no layer; there is Conv '/0/Conv', Conv '/2/Conv', Gemm '/5/Gemm', Gemm '/7/Gemm'");
}
