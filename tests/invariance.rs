//! One network has one relevance, whichever exporter wrote it, for whichever operator set, with its
//! normalisations folded or not.

#![allow(clippy::unwrap_used)]

mod common;

use abslrp::{
    options::{Canonize, Options},
    verify::session::{Array, sample},
};
use common::{LEVELS, compile, distance, models, python_packages, run, runner, stem};
use ort::value::TensorElementType;

#[test]
fn exporters_agree() {
    let x = sample(&[2, 3, 16, 16], TensorElementType::Float32, 3).unwrap();
    for level in LEVELS {
        let maps = models("exporters").into_iter().map(|path| {
            let directory = tempfile::tempdir().unwrap();
            let options = Options { level, ..Options::default() };
            let explained = compile(&path, &options, directory.path());
            (stem(&path), run(&explained, false, &[("x".into(), x.clone())], "x_relevance"))
        });
        let maps: Vec<_> = maps.collect();
        assert!(maps.len() >= 8);
        for (name, map) in &maps[1..] {
            let apart = distance(map, &maps[0].1);
            assert!(apart < 1e-3, "{name} is {apart:.1e} from {} at {level}", maps[0].0);
        }
    }
}

/// Folding is what a layer is: no rule needs the canonizers of other libraries.
#[test]
fn folded_or_not_is_the_same_under_every_rule() {
    let x = sample(&[2, 3, 16, 16], TensorElementType::Float32, 4).unwrap();
    let rules = abslrp::rules::ALL.iter().map(|rule| rule.name());
    // The published rule has none for the normalisations in this network.
    let without = ["pass", "zero", "abslrp-official"];
    for rule in rules.filter(|rule| !without.contains(rule)) {
        let text = if rule == "zbox" { "zbox:low=-4,high=4" } else { rule };
        let map = |name: &str| {
            let directory = tempfile::tempdir().unwrap();
            let options = Options { rule: text.parse().unwrap(), ..Options::default() };
            let path = common::fixture(&format!("exporters/{name}.onnx"));
            let explained = compile(&path, &options, directory.path());
            run(&explained, false, &[("x".into(), x.clone())], "x_relevance")
        };
        let apart = distance(&map("legacy17.unfolded"), &map("legacy17"));
        assert!(apart < 1e-3, "{text}: {apart:.1e}");
    }
}

/// With twins for normalisations nothing is folded, but a layer is still a layer.
#[test]
fn exporters_agree_on_normalisations_as_layers() {
    let x = sample(&[2, 3, 16, 16], TensorElementType::Float32, 5).unwrap();
    let unfolded = models("exporters").into_iter().filter(|path| stem(path).contains("unfolded"));
    let maps = unfolded.map(|path| {
        let directory = tempfile::tempdir().unwrap();
        let rule = "abslrp:norms=twin".parse().unwrap();
        let explained = compile(&path, &Options { rule, ..Options::default() }, directory.path());
        (stem(&path), run(&explained, false, &[("x".into(), x.clone())], "x_relevance"))
    });
    let maps: Vec<_> = maps.collect();
    assert!(maps.len() >= 5);
    for (name, map) in &maps[1..] {
        let apart = distance(map, &maps[0].1);
        assert!(apart < 1e-3, "{name} is {apart:.1e} from {}", maps[0].0);
    }
}

/// Without units every node is one, and the map another.
#[test]
fn canonize_none_takes_every_node_by_itself() {
    let path = common::fixture("exporters/legacy17.unfolded.onnx");
    let model = abslrp::onnx::Model::open(path).unwrap();
    let units = |canonize| {
        let options = Options { canonize, ..Options::default() };
        abslrp::compile(&model, &options).unwrap().summary.units
    };
    assert!(units(Canonize::None) > units(Canonize::Units));
}

/// The models that the onnx package carries: opset 9, weights filled in by `ConstantOfShape`.
#[test]
fn models_of_the_onnx_package_are_explained_as_they_are() {
    let folder = python_packages().join("onnx/backend/test/data/light");
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let light: Vec<_> =
        entries.filter(|path| path.extension().is_some_and(|e| e == "onnx")).collect();
    assert_eq!(light.len(), 9);
    for path in light {
        let directory = tempfile::tempdir().unwrap();
        let explained = compile(&path, &Options::default(), directory.path());
        let (name, _, dims, _) = runner(&path, false).inputs().remove(0);
        let shape: Vec<_> = dims.iter().map(|&n| usize::try_from(n).unwrap_or(1)).collect();
        let x: Array = sample(&shape, TensorElementType::Float32, 1).unwrap();
        let r = run(&explained, true, &[(name.clone(), x)], &format!("{name}_relevance"));
        assert!(r.iter().all(|v| v.is_finite()), "{}", stem(&path));
        assert_eq!(r.shape(), shape);
    }
}
