//! Passes, one by one: what each does to what is emitted, and that it means the same.

use libtest_mimic::Trial;
use similar::{ChangeTag, TextDiff};

use crate::common::{
    Array, Input, Model, Options, added, compile, distance, fixture, passes, run, runner, sample,
    snapshot, trial, trials,
};

pub fn trials() -> Vec<Trial> {
    let mut trials = trials![every_pass_has_an_example];
    for (pass, name) in EXAMPLES {
        trials.push(trial(format!("passes::text::{pass}"), || before_and_after(pass, name)));
        trials.push(trial(format!("passes::meaning::{pass}"), || the_same_is_meant(pass, name)));
    }
    trials
}

/// Every pass, and a model in which it has something to do.
const EXAMPLES: [(&str, &str); 15] = [
    ("twin-folding", "forms/gemm.op17"),
    ("idle-branches", "lenet.legacy17"),
    ("idle-signs", "lenet.legacy17"),
    ("epsilon-in-bias", "lenet.legacy17"),
    ("cofactors", "lenet.legacy17"),
    ("masks", "forms/clip.op17"),
    ("smooth-poles", "forms/gemm.op17"),
    ("turned-convolutions", "digits.legacy17"),
    ("split-windows", "forms/max_pool.op17"),
    ("idle-expansions", "alexnet.legacy17"),
    ("joint-slices", "forms/concat_nested.op17"),
    ("common-subexpressions", "cancer.legacy17"),
    ("quotients-first", "digits.legacy17"),
    ("baked-twins", "forms/conv_2d_groups.op17"),
    ("dead-nodes", "digits.legacy17"),
];

/// The snapshot of what a pass does to a model.
fn file(pass: &str, name: &str) -> String {
    format!("passes__{name}-{pass}").replace('/', "-")
}

/// The snapshots of this suite.
pub fn files() -> Vec<String> {
    EXAMPLES.iter().map(|(pass, name)| file(pass, name)).collect()
}

/// The options without a pass, and with it, under which it has something to do.
fn options(pass: &str) -> [Options; 2] {
    let rule = match pass {
        "idle-branches" => "zplus",
        _ => "abslrp-notebook",
    };
    let target = if pass == "common-subexpressions" { "0,1" } else { "all" };
    let with = Options {
        rule: rule.parse().unwrap(),
        target: target.parse().unwrap(),
        ..Options::default()
    };
    if pass == "baked-twins" {
        return [with.clone(), Options { bake_twins: true, ..with }];
    }
    let passes = Some(format!("-{pass}").parse().unwrap());
    [Options { passes, ..with.clone() }, with]
}

fn every_pass_has_an_example() {
    let all = Options { bake_twins: true, ..Options::default() };
    assert_eq!(passes(&all).unwrap(), EXAMPLES.map(|(pass, _)| pass));
}

fn before_and_after(pass: &str, name: &str) {
    let model = Model::open(fixture(&format!("{name}.onnx"))).unwrap();
    let [before, after] = options(pass).map(|options| added(&model, &options));
    let diff = TextDiff::from_lines(&before, &after);
    let changes = diff.iter_all_changes().filter(|change| change.tag() != ChangeTag::Equal);
    let change = changes.map(|change| format!("{} {}", change.tag(), change.value()));
    let change = change.collect::<Vec<_>>().concat();
    assert!(!change.is_empty(), "{pass} does nothing in {name}");
    snapshot(&file(pass, name), &change);
}

fn the_same_is_meant(pass: &str, name: &str) {
    let directory = tempfile::tempdir().unwrap();
    let path = fixture(&format!("{name}.onnx"));
    let relevance = |options: &Options| {
        let explained = compile(&path, options, directory.path());
        let inputs = runner(&explained, false).inputs();
        let feeds: Vec<(String, Array)> = inputs
            .into_iter()
            .map(|Input { name, elem, shape, .. }| {
                let shape: Vec<_> = shape.iter().map(|n| n.unwrap_or(2)).collect();
                (name, sample(&shape, elem, 7).unwrap())
            })
            .collect();
        let output = format!("{}_relevance", feeds[0].0);
        [false, true].map(|optimise| run(&explained, optimise, &feeds, &output))
    };
    let [before, after] = options(pass).map(|options| relevance(&options));
    for (before, after) in before.iter().zip(&after) {
        let apart = distance(after, before);
        assert!(apart < 1e-4, "{pass} in {name}: {apart:.1e}");
    }
}
