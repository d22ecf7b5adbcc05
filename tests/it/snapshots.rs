//! The text of what is emitted, so that a reviewer sees what a change does to it.
//!
//! A file holds graphs alone: what is recorded beside them changes with every version, and has a
//! snapshot of its own.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use libtest_mimic::Trial;
use similar::TextDiff;

use crate::{
    cli,
    common::{
        Init, LEVELS, Level, Model, Options, added, explain, fixture, models, rules, snapshot,
        snapshots, stem, text, trial, trials,
    },
    passes,
};

/// The names of files, and what they hold.
type Files = Vec<(String, String)>;

/// A trial: its name, and the files that are compared.
type Case = (String, Box<dyn FnOnce() -> Files + Send>);

pub fn trials() -> Vec<Trial> {
    let compare = |(name, files): Case| {
        let check = || files().iter().for_each(|(name, text)| snapshot(name, text));
        trial(format!("snapshots::{name}"), check)
    };
    let mut trials: Vec<_> = cases().into_iter().map(compare).collect();
    trials.extend(trials![every_file_belongs_to_a_trial]);
    trials
}

fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for path in models("") {
        cases.push((format!("networks::{}", stem(&path)), Box::new(move || network(&path))));
    }
    for (name, opsets) in forms() {
        cases.push((format!("forms::{name}"), Box::new(move || form(&name, &opsets))));
    }
    for rule in rules::ALL.iter().map(|rule| rule.name()) {
        // Nothing is left of relevance, or it does not fit: those two belong in composites.
        if !["pass", "zero"].contains(&rule) {
            cases.push((format!("rules::{rule}"), Box::new(move || with_rule(rule))));
        }
    }
    for preset in rules::PRESETS.iter().map(|preset| preset.name) {
        cases.push((format!("composites::{preset}"), Box::new(move || plan_of(preset))));
    }
    for target in ["argmax", "1", "input", "0,1", "input:2"] {
        cases.push((format!("targets::{target}"), Box::new(move || with_target(target))));
    }
    cases.push(("starts".into(), Box::new(starts)));
    cases.push(("metadata".into(), Box::new(metadata)));
    cases.push(("sources_print_as_they_are".into(), Box::new(source)));
    cases
}

fn open(name: &str) -> Model {
    Model::open(fixture(&format!("{name}.onnx"))).unwrap()
}

fn at(level: Level) -> Options {
    Options { level, ..Options::default() }
}

/// Of networks hardly a line is the same at both levels, which thus have a file each.
fn network(path: &Path) -> Files {
    let model = Model::open(path).unwrap();
    let of = |level| (format!("snapshots__{}{level}", stem(path)), added(&model, &at(level)));
    LEVELS.map(of).into()
}

/// The models in `fixtures/forms`, by form and opset.
fn forms() -> BTreeMap<String, BTreeMap<u32, PathBuf>> {
    let mut forms: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::new();
    for path in models("forms") {
        let stem = stem(&path);
        let (name, opset) = stem.rsplit_once(".op").unwrap();
        forms.entry(name.to_string()).or_default().insert(opset.parse().unwrap(), path);
    }
    forms
}

/// What is emitted for a form, once for all opsets at which it is the same but for the line that says
/// what is imported. The file is called after the lowest of them.
fn form(name: &str, opsets: &BTreeMap<u32, PathBuf>) -> Files {
    let mut different: Vec<(u32, String, String)> = Vec::new();
    for (&opset, path) in opsets {
        let model = Model::open(path).unwrap();
        let [literal, optimised] = LEVELS.map(|level| added(&model, &at(level)));
        let (imports, literal) = literal.split_once('\n').unwrap();
        let (_, optimised) = optimised.split_once('\n').unwrap();
        let imports = format!("op{opset}: {imports}\n");
        let graphs = both_levels(literal, optimised);
        match different.iter_mut().find(|(.., known)| *known == graphs) {
            Some((_, equal, _)) => equal.push_str(&imports),
            None => different.push((opset, imports, graphs)),
        }
    }
    let file = |(lowest, imports, graphs)| {
        (format!("snapshots__{name}.op{lowest}"), format!("{imports}{graphs}"))
    };
    different.into_iter().map(file).collect()
}

/// Two graphs as one text, in which each line stands once: behind a sign, if it is of one of them.
fn both_levels(literal: &str, optimised: &str) -> String {
    if literal == optimised {
        return format!("the same at -O0 and -O2\n{literal}");
    }
    let diff = TextDiff::from_lines(literal, optimised);
    let lines = diff.iter_all_changes().map(|line| format!("{} {}", line.tag(), line.value()));
    format!("- at -O0, + at -O2\n{}", lines.collect::<String>())
}

fn with_rule(name: &str) -> Files {
    let text = if name == "zbox" { "zbox:low=-2,high=2" } else { name };
    let contrasts = rules::ALL.iter().any(|rule| rule.name() == name && rule.start().contrast);
    let target = if contrasts { "argmax" } else { "all" };
    let (rule, target) = (text.parse().unwrap(), target.parse().unwrap());
    let options = Options { rule, target, ..Options::default() };
    vec![(format!("snapshots__rule-{name}"), added(&open("rules.legacy17"), &options))]
}

fn plan_of(preset: &str) -> Files {
    let options = if preset == "epsilon-gamma-box" { ":low=-2,high=2" } else { "" };
    let composite = Some(format!("{preset}{options}").parse().unwrap());
    let options = Options { composite, ..Options::default() };
    let model = open("rules.legacy17");
    let explanation = explain(&model, &options).unwrap();
    let plan = explanation
        .addition()
        .metadata
        .iter()
        .find(|entry| entry.key() == "abslrp.plan")
        .unwrap()
        .value();
    vec![(format!("snapshots__composite-{preset}"), plan.into())]
}

fn with_target(target: &str) -> Files {
    let options = Options { target: target.parse().unwrap(), ..Options::default() };
    let name = format!("snapshots__target-{}", target.replace([',', ':'], "-"));
    vec![(name, added(&open("cancer.legacy17"), &options))]
}

fn starts() -> Files {
    let model = open("cancer.legacy17");
    let argmax = Options { target: "argmax".parse().unwrap(), ..Options::default() };
    let contrastive = Options { contrastive: true, ..argmax.clone() };
    let softmax = Options { init: Init::Softmax, ..argmax };
    let file = |name: &str, options| (format!("snapshots__{name}"), added(&model, options));
    vec![file("contrastive", &contrastive), file("init-softmax", &softmax)]
}

/// What is recorded of the tool and its options, but for the version.
fn metadata() -> Files {
    let model = open("cancer.legacy17");
    let explanation = explain(&model, &Options::default()).unwrap();
    let line = |key: &str, value: &str| match key {
        "abslrp.version" => format!("{key} = [version]\n"),
        _ => format!("{key} = {value:?}\n"),
    };
    let lines =
        explanation.addition().metadata.iter().map(|entry| line(entry.key(), entry.value()));
    vec![("snapshots__metadata".into(), lines.collect())]
}

fn source() -> Files {
    let model = open("vgg_bn.legacy17");
    vec![("snapshots__print".into(), text::model(model.proto(), model.external()))]
}

/// A file that nothing is compared with would look as if it said what is emitted.
fn every_file_belongs_to_a_trial() {
    let own = cases().into_iter().flat_map(|(_, files)| files()).map(|(name, _)| name);
    let known: BTreeSet<_> = own.chain(passes::files()).chain([cli::INSPECT.into()]).collect();
    let paths = std::fs::read_dir(snapshots()).unwrap().map(|entry| entry.unwrap().path());
    let found = paths.filter(|path| path.extension().is_some_and(|e| e == "snap"));
    let stray: Vec<_> =
        found.map(|path| stem(&path)).filter(|name| !known.contains(name)).collect();
    assert!(stray.is_empty(), "no trial compares with these in tests/snapshots: {stray:?}");
}
