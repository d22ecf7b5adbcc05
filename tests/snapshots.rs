//! The text of what is emitted, so that a reviewer sees what a change does to it.

#![allow(clippy::unwrap_used)]

mod common;

use abslrp::{
    lrp::{self, Options},
    onnx::{Model, schema::GraphProto, schema::ModelProto, text},
};
use common::{LEVELS, models, stem};

/// What the compiler adds to a model, as text: the source is not repeated.
fn added(model: &Model, options: &Options) -> String {
    let addition = lrp::explain(model, options).unwrap().addition;
    let graph = GraphProto {
        node: addition.nodes,
        initializer: addition.initializers,
        input: addition.inputs,
        output: addition.outputs,
        ..GraphProto::default()
    };
    let message = ModelProto {
        ir_version: model.proto.ir_version,
        opset_import: model.proto.opset_import.clone(),
        graph: Some(graph),
        metadata_props: addition.metadata,
        ..ModelProto::default()
    };
    text::model(&message, &model.external)
}

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
        let options = Options { rule: rule.name().parse().unwrap(), ..Options::default() };
        insta::assert_snapshot!(format!("rule-{}", rule.name()), added(&model, &options));
    }
}

#[test]
fn targets() {
    let path = common::fixture("cancer.legacy17.onnx");
    let model = Model::open(&path).unwrap();
    for target in ["argmax", "1", "input"] {
        let options = Options { target: target.parse().unwrap(), ..Options::default() };
        insta::assert_snapshot!(format!("target-{target}"), added(&model, &options));
    }
}

#[test]
fn sources_print_as_they_are() {
    let model = Model::open(common::fixture("vgg_bn.legacy17.onnx")).unwrap();
    insta::assert_snapshot!("print", text::model(&model.proto, &model.external));
}
