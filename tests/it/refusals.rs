//! What a node states and its operator does not read is refused, never passed over.

use libtest_mimic::Trial;
use prost::Message;

use crate::common::{
    AttributeProto, DataType, GraphProto, Model, ModelProto, NodeProto, Options, TensorProto,
    dimension, explain, fixture, int, ints, string, trials, type_proto,
};

pub fn trials() -> Vec<Trial> {
    trials![
        attributes_that_no_operator_has,
        values_that_no_operator_knows,
        inputs_that_no_operator_has,
        dropout_that_drops,
        sizes_that_no_axis_has,
        operators_of_an_optimiser,
    ]
}

/// The error of a form that was changed.
fn refusal(form: &str, change: impl Fn(&mut GraphProto)) -> String {
    let path = fixture(&format!("forms/{form}.onnx"));
    let bytes = std::fs::read(&path).unwrap();
    let mut proto = ModelProto::decode(bytes.as_slice()).unwrap();
    change(proto.graph.as_mut().unwrap());
    let model = Model::decode(proto.encode_to_vec().into(), &path).unwrap();
    let error = explain(&model, &Options::default()).expect_err(form);
    std::iter::successors(Some(&error as &dyn std::error::Error), |error| error.source())
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}

/// The node that a form is about: some scale their input first.
fn node(graph: &mut GraphProto) -> &mut NodeProto {
    let before = ["Mul", "Tanh"];
    graph.node.iter_mut().find(|node| !before.contains(&node.op_type())).unwrap()
}

fn stating(form: &str, attribute: &AttributeProto) -> String {
    let set = |graph: &mut GraphProto| {
        let node = node(graph);
        node.attribute.retain(|a| a.name() != attribute.name());
        node.attribute.push(attribute.clone());
    };
    refusal(form, set)
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
    let error = refusal("relu.op17", |graph| node(graph).input.push("x".into()));
    assert!(error.contains("operand 1 is one more than the operator has"), "{error}");
}

fn dropout_that_drops() {
    let training = TensorProto {
        name: Some("training".into()),
        data_type: Some(DataType::Bool as i32),
        raw_data: Some(vec![1].into()),
        ..TensorProto::default()
    };
    let error = refusal("dropout.op17", |graph| {
        node(graph).input = vec!["x".into(), String::new(), "training".into()];
        graph.initializer.push(training.clone());
    });
    assert!(error.contains("training mode"), "{error}");
}

fn sizes_that_no_axis_has() {
    let error = refusal("conv_transpose_same_upper.op17", |graph| {
        let ty = graph.input[0].r#type.as_mut().unwrap().value.as_mut().unwrap();
        let type_proto::Value::TensorType(tensor) = ty else { panic!("no tensor") };
        let dims = &mut tensor.shape.as_mut().unwrap().dim;
        dims.last_mut().unwrap().value = Some(dimension::Value::DimValue(1 << 47));
        node(graph).attribute.retain(|a| a.name() != "strides");
        node(graph).attribute.push(ints("strides", &[1 << 31, 1 << 31]));
    });
    assert!(error.contains("its result would have a size of"), "{error}");
}

/// What ONNX Runtime's optimisers make of a model is refused by name, with the way out.
fn operators_of_an_optimiser() {
    let error = refusal("relu.op17", |graph| {
        let node = node(graph);
        (node.op_type, node.domain) = (Some("Conv".into()), Some("com.microsoft.nchwc".into()));
    });
    let what = "the operator com.microsoft.nchwc.Conv, which the model need not have had before";
    assert!(error.contains(what), "{error}");
}
