//! Quantised networks, against `fixtures/quantised.py`: what their integers stand for, in float64.

use std::path::{Path, PathBuf};

use libtest_mimic::Trial;
use ndarray::ArrayD;

use crate::common::{
    LEVELS, Model, Options, Target, compile, distance, each_model, explain, feed, fixture, golden,
    input, models, rules, run, stem,
};

/// Some ten layers, each of which rounds to 6e-8; the inputs are such that nothing is quantised otherwise.
const TOLERANCE: f64 = 1e-4;

/// How far the map of a quantised network may be from that of the network it was made of.
const QUANTISATION: f64 = 0.25;

pub fn trials() -> Vec<Trial> {
    let quantised = || {
        let is_float = |path: &PathBuf| stem(path).split('.').any(|part| part == "float");
        let models: Vec<_> = models("quantised").into_iter().filter(|p| !is_float(p)).collect();
        assert!(models.len() >= 15);
        models
    };
    let properties = [
        each_model("quantised::map", quantised(), the_map_is_that_of_what_integers_stand_for),
        each_model("quantised::float", quantised(), the_map_is_near_that_of_the_float_network),
        each_model("quantised::rules", quantised(), every_rule_crosses_quantised_layers),
    ];
    properties.into_iter().flatten().collect()
}

fn map(path: &Path, options: &Options, optimise: bool, x: &ArrayD<f32>) -> ArrayD<f64> {
    let directory = tempfile::tempdir().unwrap();
    let explained = compile(path, options, directory.path());
    run(&explained, optimise, &feed("x", x), "x_relevance")
}

fn class_1() -> Options {
    Options { target: Target::Index(1), ..Options::default() }
}

fn the_map_is_that_of_what_integers_stand_for(path: &Path) {
    let name = format!("quantised/{}", stem(path));
    let exact = golden(&name, "rel.class1");
    for level in LEVELS {
        let r = map(path, &Options { level, ..class_1() }, false, &input(&name));
        let apart = distance(&r, &exact);
        assert!(apart < TOLERANCE, "{level}: {apart:.1e} apart");
    }
}

/// Runtimes that compute with the integers may round to the next of them.
fn the_map_is_near_that_of_the_float_network(path: &Path) {
    let network = stem(path).split('.').next().unwrap().to_string();
    let x = input(&format!("quantised/{}", stem(path)));
    let float = fixture(&format!("quantised/{network}.float.onnx"));
    let expected = map(&float, &class_1(), false, &x);
    for optimise in [false, true] {
        let apart = distance(&map(path, &class_1(), optimise, &x), &expected);
        assert!(apart < QUANTISATION, "{apart:.1e} apart, optimised: {optimise}");
    }
}

fn every_rule_crosses_quantised_layers(path: &Path) {
    let x = input(&format!("quantised/{}", stem(path)));
    for rule in rules::ALL.iter().map(|rule| rule.name()) {
        let text = if rule == "zbox" { "zbox:low=-4,high=4" } else { rule };
        let options = Options { rule: text.parse().unwrap(), ..class_1() };
        match explain(&Model::open(path).unwrap(), &options) {
            // Layers that change shapes cannot pass, and nothing comes through zero.
            Err(_) if ["pass", "zero"].contains(&text) => continue,
            Err(error) if error.to_string().contains("takes opset 11") => continue,
            Err(error) if error.to_string().contains("that abslrp-official holds") => continue,
            other => drop(other.unwrap_or_else(|error| panic!("{text}: {error}"))),
        }
        let r = map(path, &options, false, &x);
        assert!(r.iter().all(|v| v.is_finite()), "{text}: {r}");
    }
}
