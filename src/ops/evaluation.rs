//! What is evaluated of constants is what ONNX Runtime computes.

#![allow(clippy::unwrap_used)]

use std::{collections::BTreeSet, fs, path::Path};

use prost::Message;

use crate::{
    ir::Evaluator,
    onnx::{
        DataType, Model,
        schema::{ModelProto, TensorProto, ValueInfoProto},
    },
    verify::{
        runtime::Locate,
        session::{Device, Runner, Source, sample},
    },
};

fn runner(path: &Path) -> Runner {
    Runner::new(&Source::File(path), false, Device::Cpu, &Locate::default()).unwrap()
}

/// The operators of a form that are evaluated where its input is a constant, as a runtime does.
fn evaluated(path: &Path) -> BTreeSet<String> {
    let mut proto = ModelProto::decode(fs::read(path).unwrap().as_slice()).unwrap();
    let input = runner(path).inputs().remove(0);
    let open = |symbol: &String| if symbol == "N" { 2 } else { 9 };
    let sized = input.shape.iter().zip(&input.symbols);
    let shape: Vec<_> = sized.map(|(n, symbol)| n.unwrap_or_else(|| open(symbol))).collect();
    let x: Vec<_> = sample(&shape, DataType::Float, 5).unwrap().numbers().into_iter().collect();
    let constant = TensorProto::of_floats(DataType::Float, &shape, &x);
    let graph = proto.graph.as_mut().unwrap();
    graph.initializer.push(TensorProto { name: Some("x".into()), ..constant });
    // Sizes that follow from the input's need not be declared.
    (graph.input, graph.output, graph.value_info) = Default::default();

    let model = Model::decode(proto.encode_to_vec().into(), path).unwrap();
    let known = crate::front::import(&model, &super::REGISTRY).unwrap();
    let mut evaluator = Evaluator::new(&known);
    let graph = proto.graph.as_mut().unwrap();
    let mut results = Vec::new();
    for name in graph.node.iter().filter_map(|node| node.output.first()) {
        let value = known.by_name(name).unwrap();
        if let Some(array) = evaluator.value(value).filter(|array| array.floats().is_some()) {
            results.push((name.clone(), known.node(value.node).op_type().to_string(), array));
        }
    }
    if results.is_empty() {
        return BTreeSet::new();
    }
    let named = |name: &String| ValueInfoProto { name: Some(name.clone()), ..Default::default() };
    graph.output = results.iter().map(|(name, ..)| named(name)).collect();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("constant.onnx");
    fs::write(&file, proto.encode_to_vec()).unwrap();
    let computed = runner(&file).run(&[]).unwrap();
    for (name, operator, array) in &results {
        let (_, wanted) = computed.iter().find(|(other, _)| other == name).unwrap();
        let wanted = wanted.numbers();
        assert_eq!(array.shape(), wanted.shape(), "{operator} of {}", path.display());
        for (have, want) in array.floats().unwrap().iter().zip(&wanted) {
            let near = (have - want).abs() <= 1e-5 * want.abs().max(1.0);
            let same = near || have.is_nan() && want.is_nan();
            assert!(same, "{operator} of {}: {have}, not {want}", path.display());
        }
    }
    results.into_iter().map(|(_, operator, _)| operator).collect()
}

#[test]
fn evaluation_is_computation() {
    let entries = fs::read_dir("fixtures/forms").unwrap().map(|entry| entry.unwrap().path());
    let models = entries.filter(|path| path.extension().is_some_and(|end| end == "onnx"));
    let known: BTreeSet<_> = models.flat_map(|path| evaluated(&path)).collect();
    let wanted = "Add Cast Concat Div Expand Flatten Gather Identity Max Mul Neg Pow ReduceMean \
                  ReduceSum Relu Reshape Slice Sqrt Squeeze Sub Tile Transpose Unsqueeze Where";
    for operator in wanted.split_whitespace() {
        assert!(known.contains(operator), "{operator} is in no form that is evaluated");
    }
}
