//! The text of what is emitted, so that a reviewer sees what a change does to it.

#![allow(clippy::unwrap_used)]

mod common;

use abslrp::{
    Options,
    onnx::{Model, text},
};
use common::{LEVELS, added, models, stem};

#[test]
fn networks() {
    for path in models("") {
        let model = Model::open(&path).unwrap();
        for level in LEVELS {
            let text = added(&model, &Options { level, ..Options::default() });
            insta::assert_snapshot!(format!("{}{level}", stem(&path)), text);
        }
    }
}

#[test]
fn forms() {
    for path in models("forms") {
        let model = Model::open(&path).unwrap();
        let texts = LEVELS.map(|level| added(&model, &Options { level, ..Options::default() }));
        // Most forms are the same at both levels.
        let text = if texts[0] == texts[1] { texts[0].clone() } else { texts.join("\n") };
        insta::assert_snapshot!(stem(&path), text);
    }
}

#[test]
fn rules() {
    let path = common::fixture("rules.legacy17.onnx");
    let model = Model::open(&path).unwrap();
    for rule in abslrp::rules::ALL {
        // Nothing is left of relevance, or it does not fit: those two belong in composites.
        if ["pass", "zero"].contains(&rule.name()) {
            continue;
        }
        let text = if rule.name() == "zbox" { "zbox:low=-2,high=2" } else { rule.name() };
        let target = if rule.start().contrast { "argmax" } else { "all" };
        let (rule, target) = (text.parse().unwrap(), target.parse().unwrap());
        let options = Options { rule, target, ..Options::default() };
        insta::assert_snapshot!(
            format!("rule-{}", text.split(':').next().unwrap()),
            added(&model, &options)
        );
    }
}

#[test]
fn composites() {
    let path = common::fixture("rules.legacy17.onnx");
    let model = Model::open(&path).unwrap();
    for preset in abslrp::rules::PRESETS {
        let options = if preset.name == "epsilon-gamma-box" { ":low=-2,high=2" } else { "" };
        let composite = Some(format!("{}{options}", preset.name).parse().unwrap());
        let options = Options { composite, ..Options::default() };
        let plan = abslrp::compile(&model, &options).unwrap().addition.metadata;
        let plan = plan.iter().find(|entry| entry.key() == "abslrp.plan").unwrap().value();
        insta::assert_snapshot!(format!("composite-{}", preset.name), plan);
    }
}

#[test]
fn targets() {
    let path = common::fixture("cancer.legacy17.onnx");
    let model = Model::open(&path).unwrap();
    for target in ["argmax", "1", "input", "0,1", "input:2"] {
        let options = Options { target: target.parse().unwrap(), ..Options::default() };
        let name = target.replace([',', ':'], "-");
        insta::assert_snapshot!(format!("target-{name}"), added(&model, &options));
    }
    let argmax = Options { target: "argmax".parse().unwrap(), ..Options::default() };
    let contrastive = Options { contrastive: true, ..argmax.clone() };
    insta::assert_snapshot!("contrastive", added(&model, &contrastive));
    let softmax = Options { init: abslrp::options::Init::Softmax, ..argmax };
    insta::assert_snapshot!("init-softmax", added(&model, &softmax));
}

#[test]
fn sources_print_as_they_are() {
    let model = Model::open(common::fixture("vgg_bn.legacy17.onnx")).unwrap();
    insta::assert_snapshot!("print", text::model(&model.proto, &model.external));
}
