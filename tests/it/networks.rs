//! Networks with signed activations in float64: under `abslrp` and `abslrp-official` against `fixtures/networks.py`,
//! transformers under `attnlrp` and `cp-lrp` against the package lxt (`fixtures/attention.py`).

use std::path::Path;

use libtest_mimic::Trial;
use ndarray::ArrayD;

use crate::common::{
    LEVELS, Options, Target, compile, distance, feed, golden, input, models, run, stem, trial,
};

/// Some ten layers, each of which rounds to 6e-8. The rule divides by sums of what is not negative, so
/// that nothing amplifies that.
const TOLERANCE: f64 = 1e-5;

/// The architectures that the authors' release has.
const RELEASED: [&str; 3] = ["vgg", "resnet", "vit"];

pub fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    for path in models("networks") {
        let (model, of) = (stem(&path), path.clone());
        trials.push(trial(format!("networks::abslrp::{model}"), move || the_default(&of)));
        if RELEASED.contains(&network(&path).as_str()) {
            trials.push(trial(format!("networks::official::{model}"), move || the_release(&path)));
        }
    }
    for path in models("attention") {
        for rule in ["attnlrp", "cp-lrp"] {
            let (name, path) = (format!("networks::{rule}::{}", stem(&path)), path.clone());
            trials.push(trial(name, move || transformers_are_those_of_lxt(&path, rule)));
        }
    }
    trials
}

/// The name of the network that a model is an export of.
fn network(path: &Path) -> String {
    stem(path).split('.').next().unwrap().to_string()
}

const TARGETS: [(&str, Target); 3] =
    [("all", Target::All), ("argmax", Target::Argmax), ("class1", Target::Index(1))];

fn the_default(path: &Path) {
    for (case, target) in TARGETS {
        let exact = golden(&format!("networks/{}", network(path)), &format!("rel.{case}"));
        check(path, &Options { target, ..Options::default() }, &exact, TOLERANCE);
    }
}

fn transformers_are_those_of_lxt(path: &Path, rule: &str) {
    for (case, target) in TARGETS {
        let exact = golden(&format!("attention/{}", network(path)), &format!("{rule}.{case}"));
        let composite = Some(rule.parse().unwrap());
        check(path, &Options { target, composite, ..Options::default() }, &exact, TOLERANCE);
    }
}

/// It divides by results, which vanish somewhere: what float32 can keep stands beside the golden.
fn the_release(path: &Path) {
    let golden = |array| golden(&format!("networks/{}", network(path)), array);
    let tolerance = golden("official tolerance")[[]];
    let options = Options { rule: "abslrp-official".parse().unwrap(), ..Options::default() };
    check(path, &options, &golden("official"), tolerance);
}

fn check(path: &Path, options: &Options, exact: &ArrayD<f64>, tolerance: f64) {
    let golden = path.with_file_name(network(path));
    let feeds = feed("x", &input(&golden.display().to_string()));
    for level in LEVELS {
        let directory = tempfile::tempdir().unwrap();
        let explained = compile(path, &Options { level, ..options.clone() }, directory.path());
        for optimise in [false, true] {
            let r = run(&explained, optimise, &feeds, "x_relevance");
            let apart = distance(&r, exact);
            assert!(apart < tolerance, "{} {level}: {apart:.1e} apart", options.target);
        }
    }
}
