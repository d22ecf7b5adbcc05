//! The text of what is emitted, so that a reviewer sees what a change does to it.

use std::path::Path;

use libtest_mimic::Trial;

use crate::common::{
    Init, LEVELS, Model, Options, added, each, each_model, explain, fixture, models, rules,
    snapshot, stem, text, trials,
};

pub fn trials() -> Vec<Trial> {
    let rules = rules::ALL.iter().map(|rule| rule.name());
    let presets = rules::PRESETS.iter().map(|preset| preset.name);
    let properties = [
        each_model("snapshots::networks", models(""), networks),
        each_model("snapshots::forms", models("forms"), forms),
        // Nothing is left of relevance, or it does not fit: those two belong in composites.
        each("snapshots::rules", rules.filter(|rule| !["pass", "zero"].contains(rule)), rule),
        each("snapshots::composites", presets, composite),
        each("snapshots::targets", ["argmax", "1", "input", "0,1", "input:2"], target),
        trials![starts, sources_print_as_they_are],
    ];
    properties.into_iter().flatten().collect()
}

fn open(name: &str) -> Model {
    Model::open(fixture(&format!("{name}.onnx"))).unwrap()
}

fn networks(path: &Path) {
    let model = Model::open(path).unwrap();
    for level in LEVELS {
        let text = added(&model, &Options { level, ..Options::default() });
        snapshot(&format!("snapshots__{}{level}", stem(path)), &text);
    }
}

fn forms(path: &Path) {
    let model = Model::open(path).unwrap();
    let texts = LEVELS.map(|level| added(&model, &Options { level, ..Options::default() }));
    // Most forms are the same at both levels.
    let text = if texts[0] == texts[1] { texts[0].clone() } else { texts.join("\n") };
    snapshot(&format!("snapshots__{}", stem(path)), &text);
}

fn rule(name: &str) {
    let text = if name == "zbox" { "zbox:low=-2,high=2" } else { name };
    let contrasts = rules::ALL.iter().any(|rule| rule.name() == name && rule.start().contrast);
    let target = if contrasts { "argmax" } else { "all" };
    let (rule, target) = (text.parse().unwrap(), target.parse().unwrap());
    let options = Options { rule, target, ..Options::default() };
    snapshot(&format!("snapshots__rule-{name}"), &added(&open("rules.legacy17"), &options));
}

fn composite(preset: &str) {
    let options = if preset == "epsilon-gamma-box" { ":low=-2,high=2" } else { "" };
    let composite = Some(format!("{preset}{options}").parse().unwrap());
    let options = Options { composite, ..Options::default() };
    let plan = explain(&open("rules.legacy17"), &options).unwrap().addition.metadata;
    let plan = plan.iter().find(|entry| entry.key() == "abslrp.plan").unwrap().value();
    snapshot(&format!("snapshots__composite-{preset}"), plan);
}

fn target(target: &str) {
    let options = Options { target: target.parse().unwrap(), ..Options::default() };
    let name = target.replace([',', ':'], "-");
    snapshot(&format!("snapshots__target-{name}"), &added(&open("cancer.legacy17"), &options));
}

fn starts() {
    let model = open("cancer.legacy17");
    let argmax = Options { target: "argmax".parse().unwrap(), ..Options::default() };
    let contrastive = Options { contrastive: true, ..argmax.clone() };
    snapshot("snapshots__contrastive", &added(&model, &contrastive));
    let softmax = Options { init: Init::Softmax, ..argmax };
    snapshot("snapshots__init-softmax", &added(&model, &softmax));
}

fn sources_print_as_they_are() {
    let model = open("vgg_bn.legacy17");
    snapshot("snapshots__print", &text::model(&model.proto, &model.external));
}
