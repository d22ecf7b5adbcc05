//! What a node states and its operator does not read is refused, never passed over.

use libtest_mimic::Trial;
use prost::Message;

use crate::common::{
    AttributeProto, DataType, Model, ModelProto, NodeProto, Options, TensorProto, explain, fixture,
    int, string, trials,
};

pub fn trials() -> Vec<Trial> {
    trials![
        attributes_that_no_operator_has,
        values_that_no_operator_knows,
        inputs_that_no_operator_has,
        dropout_that_drops,
    ]
}

/// The error of a form whose node was changed, with constants beside it.
fn refusal(form: &str, change: impl Fn(&mut NodeProto), constants: Vec<TensorProto>) -> String {
    let path = fixture(&format!("forms/{form}.onnx"));
    let bytes = std::fs::read(&path).unwrap();
    let mut proto = ModelProto::decode(bytes.as_slice()).unwrap();
    let graph = proto.graph.as_mut().unwrap();
    // Some forms scale their input first.
    let before = ["Mul", "Tanh"];
    change(graph.node.iter_mut().find(|node| !before.contains(&node.op_type())).unwrap());
    graph.initializer.extend(constants);
    let model = Model::decode(proto.encode_to_vec().into(), &path).unwrap();
    let error = explain(&model, &Options::default()).expect_err(form);
    std::iter::successors(Some(&error as &dyn std::error::Error), |error| error.source())
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}

fn stating(form: &str, attribute: &AttributeProto) -> String {
    let set = |node: &mut NodeProto| {
        node.attribute.retain(|a| a.name() != attribute.name());
        node.attribute.push(attribute.clone());
    };
    refusal(form, set, Vec::new())
}

fn attributes_that_no_operator_has() {
    for form in ["softmax.op12", "relu.op17", "conv_2d_groups.op17", "concat.op17"] {
        let error = stating(form, &int("foo", 1));
        assert!(error.contains("attribute 'foo' is none that the operator has"), "{error}");
    }
}

fn values_that_no_operator_knows() {
    for (form, attribute, what) in [
        ("gelu.op20", string("approximate", "quick"), "'approximate' is \"quick\""),
        ("reduce_sum.op9", int("keepdims", 134), "'keepdims' is 134, neither 0 nor 1"),
        ("gemm.op17", int("transB", 2), "'transB' is 2, neither 0 nor 1"),
        ("pad.op9", string("mode", "mirror"), "'mode' is \"mirror\""),
        ("depth_to_space.op17", string("mode", "RCD"), "'mode' is \"RCD\""),
    ] {
        let error = stating(form, &attribute);
        assert!(error.contains(what), "{form}: {error}");
    }
}

fn inputs_that_no_operator_has() {
    let more = |node: &mut NodeProto| node.input.push("x".into());
    let error = refusal("relu.op17", more, Vec::new());
    assert!(error.contains("operand 1 is one more than the operator has"), "{error}");
}

fn dropout_that_drops() {
    let training = TensorProto {
        name: Some("training".into()),
        data_type: Some(DataType::Bool as i32),
        raw_data: Some(vec![1].into()),
        ..TensorProto::default()
    };
    let set =
        |node: &mut NodeProto| node.input = vec!["x".into(), String::new(), "training".into()];
    let error = refusal("dropout.op17", set, vec![training]);
    assert!(error.contains("training mode"), "{error}");
}
