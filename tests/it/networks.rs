//! Networks with signed activations under `abslrp` and `abslrp-official`, against `fixtures/networks.py` in float64.

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
    trials
}

/// The name of the network that a model is an export of.
fn network(path: &Path) -> String {
    stem(path).split('.').next().unwrap().to_string()
}

fn the_default(path: &Path) {
    for (case, target) in
        [("rel.all", Target::All), ("rel.argmax", Target::Argmax), ("rel.class1", Target::Index(1))]
    {
        let exact = golden(&format!("networks/{}", network(path)), case);
        check(path, &Options { target, ..Options::default() }, &exact, TOLERANCE);
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
    let feeds = feed("x", &input(&format!("networks/{}", network(path))));
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
