//! Damaged and hostile files: an error in bounded time, never a panic. Time is not measured, because
//! machines differ: what is not bounded takes hours here, or all memory.

use std::{
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
};

use libtest_mimic::Trial;
use prost::Message;

use crate::common::{
    DataType, GraphProto, Model, ModelProto, Options, StringStringEntryProto, TensorProto,
    TypeProto, ValueInfoProto, explain, fixture, models, text, trial::last_panic, trials,
    type_proto,
};

pub fn trials() -> Vec<Trial> {
    trials![
        truncated_files_are_refused,
        flipped_bytes_never_panic,
        each_lie_has_an_error_that_names_it,
        external_data_are_looked_for_in_the_models_directory_only,
        deep_and_wide_graphs_take_no_stack,
        long_chains_of_constants_take_no_time,
        a_huge_declared_shape_costs_nothing,
    ]
}

/// What becomes of a file: the error, or nothing where it can be explained all the same.
fn outcome(bytes: Vec<u8>) -> Option<String> {
    let result = catch_unwind(AssertUnwindSafe(|| {
        let model = Model::decode(bytes.into(), "damaged.onnx").map_err(|e| e.to_string())?;
        let explained = explain(&model, &Options::default());
        let _ = text::model(model.proto(), model.external());
        explained.map(drop).map_err(|e| e.to_string())
    }));
    result.unwrap_or_else(|_| panic!("{}", last_panic())).err()
}

fn bytes(name: &str) -> Vec<u8> {
    fs::read(fixture(name)).unwrap()
}

fn truncated_files_are_refused() {
    for name in ["digits.legacy17.onnx", "vgg_bn.dynamo20.onnx", "forms/pad_axes.op18.onnx"] {
        let whole = bytes(name);
        for percent in 0..100 {
            let part = whole[..whole.len() * percent / 100].to_vec();
            let error = outcome(part);
            // What is cut off last is the opset and metadata, without which it is no model.
            assert!(error.is_some(), "{name} at {percent} %");
        }
    }
}

fn flipped_bytes_never_panic() {
    let mut state = 1u64;
    let mut random = move |below: usize| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    let mut refused = 0;
    let files: Vec<_> = models("forms").into_iter().chain(models("")).collect();
    for round in 0..3000 {
        let mut file = fs::read(&files[round % files.len()]).unwrap();
        for _ in 0..=random(3) {
            let at = random(file.len());
            file[at] = random(256) as u8;
        }
        refused += usize::from(outcome(file).is_some());
    }
    assert!(refused > 500, "only {refused} of 3000 were found out");
}

/// The cancer network, changed.
fn changed(change: impl FnOnce(&mut ModelProto)) -> String {
    let mut proto = ModelProto::decode(bytes("cancer.legacy17.onnx").as_slice()).unwrap();
    change(&mut proto);
    outcome(proto.encode_to_vec()).unwrap_or_else(|| panic!("nothing was found out"))
}

fn graph(proto: &mut ModelProto) -> &mut GraphProto {
    proto.graph.as_mut().unwrap()
}

fn each_lie_has_an_error_that_names_it() {
    insta::assert_snapshot!(changed(|m| graph(m).node[1].input[0] = "nowhere".into()), @"node '/0/Div' (Div, opset 17): its input 'nowhere' is produced by no node, input or initializer; the model is invalid: check it with `onnx.checker.check_model`");
    insta::assert_snapshot!(changed(|m| graph(m).node[1].input[0] = "logits".into()), @"node '/0/Div' (Div, opset 17): its input 'logits' is produced in a cycle that leads back to the node; the model is invalid: check it with `onnx.checker.check_model`");
    insta::assert_snapshot!(changed(|m| {
        let name = graph(m).node[0].output[0].clone();
        graph(m).node[1].output[0] = name;
    }), @"the value '/0/Sub_output_0' is given twice; the model is invalid: check it with `onnx.checker.check_model`");
    insta::assert_snapshot!(changed(|m| graph(m).output[0].name = Some("other".into())), @"the value 'other' is a graph output that no node produces; the model is invalid: check it with `onnx.checker.check_model`");
    insta::assert_snapshot!(changed(|m| graph(m).output.clear()), @"the graph has no output to explain");
    insta::assert_snapshot!(changed(|m| graph(m).initializer[0].dims = vec![1 << 62, 1 << 62]), @"damaged.onnx: tensor '0.mean': the shape [4611686018427387904, 4611686018427387904] is impossible");
    insta::assert_snapshot!(changed(|m| graph(m).initializer[0].dims = vec![-3]), @"damaged.onnx: tensor '0.mean': the shape [-3] is impossible");
    insta::assert_snapshot!(changed(|m| graph(m).initializer[0].dims = vec![1 << 40]), @"damaged.onnx: tensor '0.mean': the shape [1099511627776] does not fit its 120 bytes of data");
    insta::assert_snapshot!(changed(|m| graph(m).initializer[0].data_type = Some(77)), @"damaged.onnx: tensor '0.mean': its element type, 77, is none the schema knows");
    insta::assert_snapshot!(changed(|m| {
        let gemm = graph(m).node.iter_mut().find(|n| n.op_type() == "Gemm").unwrap();
        gemm.attribute[0].r#type = Some(7);
    }), @"node '/1/Gemm' (Gemm, opset 17): attribute 'alpha' is INTS, not FLOAT; the model is invalid: check it with `onnx.checker.check_model`");
    insta::assert_snapshot!(changed(|m| {
        let gemm = graph(m).node.iter_mut().find(|n| n.op_type() == "Gemm").unwrap();
        gemm.input.truncate(1);
    }), @"node '/1/Gemm' (Gemm, opset 17): operand 1 is missing; the model is invalid: check it with `onnx.checker.check_model`");
    insta::assert_snapshot!(changed(|m| {
        let info = graph(m).output[0].clone();
        let name = graph(m).node[3].output[0].clone();
        let tensor = type_proto::Tensor { elem_type: Some(DataType::Int64 as i32), shape: None };
        let value = Some(type_proto::Value::TensorType(tensor));
        let r#type = Some(TypeProto { value, denotation: None });
        let info = ValueInfoProto { name: Some(name), r#type, ..info };
        graph(m).value_info.push(info);
    }), @"node '/2/Relu' (Relu, opset 17): the file declares '/2/Relu_output_0' otherwise: INT64 is no FLOAT; the model is invalid: check it with `onnx.shape_inference.infer_shapes(model, strict_mode=True)`");
    insta::assert_snapshot!(changed(|m| {
        let gemm = graph(m).node.iter_mut().find(|n| n.op_type() == "Gemm").unwrap();
        gemm.op_type = Some("Frobnicate".into());
    }), @"node '/1/Gemm' (Frobnicate, opset 17): the operator Frobnicate cannot be explained");
}

fn external_data_are_looked_for_in_the_models_directory_only() {
    let error = changed(|m| {
        let tensor = &mut graph(m).initializer[0];
        tensor.raw_data = None;
        tensor.data_location = Some(1);
        let entry = StringStringEntryProto {
            key: Some("location".into()),
            value: Some("../../etc/passwd".into()),
        };
        tensor.external_data = vec![entry];
    });
    insta::assert_snapshot!(error, @"damaged.onnx: tensor '0.mean': its external data '../../etc/passwd' would lie outside the model's directory; refused");
}

fn deep_and_wide_graphs_take_no_stack() {
    let mut proto = ModelProto::decode(bytes("forms/relu.op17.onnx").as_slice()).unwrap();
    let graph = graph(&mut proto);
    let template = graph.node[0].clone();
    graph.node.clear();
    let count = 20_000;
    for i in 0..count {
        let mut node = template.clone();
        node.op_type = Some("Identity".into());
        node.input = vec![if i == 0 { "x".into() } else { format!("v{i}") }];
        node.output = vec![if i + 1 == count { "y".into() } else { format!("v{}", i + 1) }];
        graph.node.push(node);
    }
    assert_eq!(outcome(proto.encode_to_vec()), None);
}

fn long_chains_of_constants_take_no_time() {
    let mut proto = ModelProto::decode(bytes("forms/matmul_bias.op17.onnx").as_slice()).unwrap();
    let graph = graph(&mut proto);
    let template = graph.node.pop().unwrap();
    let count = 10_000;
    for i in 0..count {
        let mut node = template.clone();
        node.input = vec![if i == 0 { "h".into() } else { format!("v{i}") }, "b".into()];
        node.output = vec![if i + 1 == count { "y".into() } else { format!("v{}", i + 1) }];
        graph.node.push(node);
    }
    assert_eq!(outcome(proto.encode_to_vec()), None);
}

fn a_huge_declared_shape_costs_nothing() {
    let mut proto = ModelProto::decode(bytes("forms/expand.op17.onnx").as_slice()).unwrap();
    let huge = TensorProto {
        name: Some("s".into()),
        ..TensorProto::of_ints(&[3], &[1 << 40, 3 << 40, 4])
    };
    let graph = graph(&mut proto);
    graph.initializer.retain(|t| t.name() != "s");
    graph.initializer.push(huge);
    let _ = outcome(proto.encode_to_vec());
}
