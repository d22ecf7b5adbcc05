//! What is called non-negative is, on ONNX Runtime.

#![allow(clippy::unwrap_used)]

use std::{collections::BTreeSet, fs, path::Path};

use prost::Message;

use crate::{
    ir::Value,
    onnx::{
        DataType, Model,
        schema::{GraphProto, ModelProto, NodeProto, ValueInfoProto},
    },
    verify::{
        runtime::Locate,
        session::{Array, Device, Runner, Source, sample},
    },
};

/// Makes float weights, and what nodes read of the input, non-negative.
fn positive(graph: &mut GraphProto) {
    for tensor in &mut graph.initializer {
        if tensor.data_type() == DataType::Float as i32 {
            let raw = tensor.raw_data.take().unwrap_or_default().to_vec();
            let clear = |(at, byte): (usize, u8)| if at % 4 == 3 { byte & 0x7f } else { byte };
            tensor.raw_data = Some(raw.into_iter().enumerate().map(clear).collect());
        }
    }
    for name in graph.node.iter_mut().flat_map(|node| &mut node.input) {
        if name == "x" {
            *name = "x/abs".into();
        }
    }
    let (input, output) = (vec!["x".into()], vec!["x/abs".into()]);
    let op_type = Some("Abs".into());
    graph.node.insert(0, NodeProto { input, output, op_type, ..NodeProto::default() });
}

/// The values of a form that are called non-negative, and are not.
fn mistaken(path: &Path, of_positive: bool) -> Vec<String> {
    let mut proto = ModelProto::decode(fs::read(path).unwrap().as_slice()).unwrap();
    let graph = proto.graph.as_mut().unwrap();
    if of_positive {
        positive(graph);
    }
    let model = Model::decode(proto.encode_to_vec().into(), path).unwrap();
    let known = crate::front::import(&model, &super::REGISTRY).unwrap();
    let graph = proto.graph.as_mut().unwrap();
    let computed: BTreeSet<_> = graph.node.iter().flat_map(|node| node.output.clone()).collect();
    let called = |value: Value| known.facts(value).non_negative;
    let claims: BTreeSet<_> =
        computed.into_iter().filter(|name| known.by_name(name).is_some_and(called)).collect();
    if claims.is_empty() {
        return Vec::new();
    }
    let named = |name: &String| ValueInfoProto { name: Some(name.clone()), ..Default::default() };
    let have: BTreeSet<_> = graph.output.iter().map(|output| output.name().to_string()).collect();
    graph.output.extend(claims.difference(&have).map(named));
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("claims.onnx");
    fs::write(&file, proto.encode_to_vec()).unwrap();
    let mut runner =
        Runner::new(&Source::File(&file), false, Device::Cpu, &Locate::default()).unwrap();
    let input = runner.inputs().remove(0);
    let open = |symbol: &String| if symbol == "N" { 2 } else { 9 };
    let sized = input.shape.iter().zip(&input.symbols);
    let shape: Vec<_> = sized.map(|(n, symbol)| n.unwrap_or_else(|| open(symbol))).collect();
    let x = sample(&shape, DataType::Float, 5).unwrap().numbers();
    let x = Array::Float32(x.mapv(|v| v as f32));
    let results = runner.run(&[("x".into(), x)]).unwrap();
    let negative = |array: &Array| array.numbers().iter().any(|&v| v < 0.0);
    let wrong = results.into_iter().filter(|(name, y)| claims.contains(name) && negative(y));
    wrong.map(|(name, _)| name).collect()
}

#[test]
fn what_is_called_non_negative_is() {
    let entries = fs::read_dir("fixtures/forms").unwrap().map(|entry| entry.unwrap().path());
    let models = entries.filter(|path| path.extension().is_some_and(|end| end == "onnx"));
    let wrong = |path: &Path| [mistaken(path, false), mistaken(path, true)].concat();
    let wrong: Vec<_> =
        models.map(|path| (wrong(&path), path)).filter(|(w, _)| !w.is_empty()).collect();
    assert!(wrong.is_empty(), "negative: {wrong:?}");
}
