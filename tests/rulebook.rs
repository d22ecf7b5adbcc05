//! Every rule and preset against zennit in float64, and `abslrp-official` against the released procedure
//! written out (fixtures/rulebook.py), on networks of many shapes.

#![allow(clippy::unwrap_used)]

mod common;

use abslrp::lrp::{Options, Target};
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

/// Several targets, from the graph input or not, are the maps of single targets side by side; with a
/// contrast each is its own map less what the others get.
#[test]
fn maps_of_several_targets_are_those_of_each() {
    let path = fixture("rulebook/residual_2d.onnx");
    let file = std::fs::File::open(path.with_extension("npz")).unwrap();
    let x: ArrayD<f32> = NpzReader::new(file).unwrap().by_name("in.npy").unwrap();
    let map = |target: &str, contrastive: bool, rule: &str| {
        let directory = tempfile::tempdir().unwrap();
        let (target, rule): (Target, _) = (target.parse().unwrap(), rule.parse().unwrap());
        let mut feeds = feed("x", &x);
        if target == Target::Inputs(2) {
            let targets = ndarray::arr2(&[[2i64, 0], [2, 0]]).into_dyn();
            feeds.push(("target".into(), abslrp::verify::session::Array::Int64(targets)));
        }
        let options = Options { target, contrastive, rule, ..Options::default() };
        run(&compile(&path, &options, directory.path()), false, &feeds, "x_relevance")
    };
    let several = map("2,0", false, "abslrp");
    for (at, index) in ["2", "0"].into_iter().enumerate() {
        let one = map(index, false, "abslrp");
        assert!(distance(&several.index_axis(Axis(1), at).to_owned(), &one) < 1e-6);
    }
    assert!(distance(&map("input:2", false, "abslrp"), &several) < 1e-6);

    // Linear rules in one sweep: the contrast starts from nothing in all.
    let contrast = map("1", true, "epsilon");
    assert_eq!(contrast.shape(), x.shape());
    assert!(distance(&contrast, &map("1", false, "epsilon")) > 1e-3);
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
    let error = abslrp::lrp::explain(&model, &options).unwrap_err().to_string();
    insta::assert_snapshot!(error, @"the match ''/9/*'' of the composite fits no layer; there is Conv '/0/Conv', Conv '/2/Conv', Gemm '/5/Gemm', Gemm '/7/Gemm'");
}
