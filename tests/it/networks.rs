//! Networks with signed activations under the default rule, against `fixtures/networks.py` in float64.

use libtest_mimic::Trial;

use crate::common::{
    LEVELS, Options, Target, compile, distance, feed, fixture, golden, input, models, run, stem,
    trial,
};

/// Some ten layers, each of which rounds to 6e-8. The rule divides by sums of what is not negative, so
/// that nothing amplifies that.
const TOLERANCE: f64 = 1e-5;

pub fn trials() -> Vec<Trial> {
    let networks = models("networks").into_iter().map(|path| stem(&path));
    networks
        .map(|model| trial(format!("networks::abslrp::{model}"), move || the_default(&model)))
        .collect()
}

fn the_default(model: &str) {
    let network = format!("networks/{}", model.split('.').next().unwrap());
    let (path, feeds) = (fixture(&format!("networks/{model}.onnx")), feed("x", &input(&network)));
    for (case, target) in
        [("rel.all", Target::All), ("rel.argmax", Target::Argmax), ("rel.class1", Target::Index(1))]
    {
        let exact = golden(&network, case);
        for level in LEVELS {
            let directory = tempfile::tempdir().unwrap();
            let options = Options { level, target: target.clone(), ..Options::default() };
            let explained = compile(&path, &options, directory.path());
            for optimise in [false, true] {
                let r = run(&explained, optimise, &feeds, "x_relevance");
                let apart = distance(&r, &exact);
                assert!(apart < TOLERANCE, "{case} {level}: {apart:.1e} apart");
            }
        }
    }
}
