//! Every rule and preset against zennit in float64, and `abslrp-official` against the released procedure
//! written out (fixtures/rulebook.py), on networks of many shapes.

use std::path::Path;

use libtest_mimic::Trial;
use ndarray::{ArrayD, Axis};
use ndarray_npy::NpzReader;

use crate::common::{
    Array, Composite, Init, LEVELS, Model, Normalize, Options, Reduce, Target, compile, distance,
    explain, feed, fixture, models, run, stem, trial, trials,
};

pub fn trials() -> Vec<Trial> {
    let mut trials = trials![
        maps_of_several_targets_are_those_of_each,
        a_contrast_is_less_what_the_others_get,
        softmax_starts_from_the_gradient_of_the_score,
        maps_are_summed_and_scaled_as_asked,
        without_a_stabiliser_maps_are_finite,
        configurations_say_which_layers_they_are_for,
    ];
    for path in models("rulebook") {
        for case in cases(&path) {
            let name = format!("rulebook::{}::{}", stem(&path), case.replace("--", ""));
            let path = path.clone();
            trials.push(trial(name, move || rules_are_those_of_zennit(&path, &case)));
        }
    }
    assert!(trials.len() > 200, "the golden files of the rulebook hold only {}", trials.len());
    trials
}

/// The rules and presets that a golden file has maps of: `--rule NAME`, `--composite NAME`.
fn cases(path: &Path) -> Vec<String> {
    let file = std::fs::File::open(path.with_extension("npz")).unwrap();
    let names = NpzReader::new(file).unwrap().names().unwrap();
    let maps = names.iter().filter(|name| name.starts_with("--") && !name.contains(" tolerance"));
    maps.map(|name| name.trim_end_matches(".npy").to_string()).collect()
}

fn options(text: &str) -> Options {
    match text.split_once(' ').unwrap() {
        ("--rule", rule) => Options { rule: rule.parse().unwrap(), ..Options::default() },
        (_, name) => Options { composite: Some(name.parse().unwrap()), ..Options::default() },
    }
}

fn rules_are_those_of_zennit(path: &Path, case: &str) {
    let file = std::fs::File::open(path.with_extension("npz")).unwrap();
    let mut golden = NpzReader::new(file).unwrap();
    let x: ArrayD<f32> = golden.by_name("in.npy").unwrap();
    let exact: ArrayD<f32> = golden.by_name(&format!("{case}.npy")).unwrap();
    let tolerance: ArrayD<f64> = golden.by_name(&format!("{case} tolerance.npy")).unwrap();
    for level in LEVELS {
        let directory = tempfile::tempdir().unwrap();
        let explained = compile(path, &Options { level, ..options(case) }, directory.path());
        let r = run(&explained, true, &feed("x", &x), "x_relevance");
        let apart = distance(&r, &exact.mapv(f64::from));
        assert!(apart <= tolerance[[]], "{level}: {apart:.1e} apart");
    }
}

/// Several targets, from the graph input or not, are the maps of single targets side by side.
fn maps_of_several_targets_are_those_of_each() {
    let path = fixture("rulebook/residual_2d.onnx");
    let x = input("residual_2d");
    let map = |target: &str| {
        let directory = tempfile::tempdir().unwrap();
        let target: Target = target.parse().unwrap();
        let mut feeds = feed("x", &x);
        if target == Target::Inputs(2) {
            let targets = ndarray::arr2(&[[2i64, 0], [2, 0]]).into_dyn();
            feeds.push(("target".into(), Array::Int64(targets)));
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

fn of(path: &Path, x: &ArrayD<f32>, options: &Options) -> ArrayD<f64> {
    let directory = tempfile::tempdir().unwrap();
    run(&compile(path, options, directory.path()), false, &feed("x", x), "x_relevance")
}

/// A match of a configuration that hits nothing is an error that names what there is.
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
    let composite: Composite = toml::from_str(text).unwrap();
    let path = fixture("rulebook/plain_2d.onnx");
    let model = Model::open(&path).unwrap();
    let options = Options { composite: Some(composite), ..Options::default() };
    let error = explain(&model, &options).unwrap_err().to_string();
    insta::assert_snapshot!(error, @"the match ''/9/*'' of the composite fits no layer; there is Conv '/0/Conv', Conv '/2/Conv', Gemm '/5/Gemm', Gemm '/7/Gemm'");
}
