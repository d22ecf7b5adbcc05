//! From a graph to what is written behind its source: the place where new values get names.

use std::collections::{BTreeMap, BTreeSet};

use super::names::Names;
use crate::{
    ir::{Dim, Graph, Origin, Type, Value},
    onnx::{
        Addition, DataType, Tensor,
        schema::{
            AttributeProto, GraphProto, NodeProto, TensorProto, TensorShapeProto, TypeProto,
            ValueInfoProto,
            attribute_proto::AttributeType,
            tensor_shape_proto::{Dimension, dimension},
            type_proto,
        },
    },
};

/// A graph output to add.
#[derive(Debug, Clone)]
pub struct Output {
    /// Its name.
    pub name: String,
    /// What it shows.
    pub value: Value,
    /// Its declared type.
    pub ty: Type,
}

/// What the compiler appended, as messages, with `outputs` added to the graph outputs.
///
/// New nodes are called `<source node>/abslrp/<role>`, and constants `abslrp/<value>`; equal
/// names are numbered in order of execution, so that names are stable as long as the source and
/// the options are.
pub fn addition(graph: &Graph, outputs: &[Output]) -> Addition {
    let mut names = Names { taken: names_in_use(graph), wanted: BTreeMap::new() };
    names.taken.extend(outputs.iter().map(|output| output.name.clone()));
    let mut named: Vec<Vec<String>> = Vec::with_capacity(graph.nodes().len());
    let mut addition = Addition::default();
    for node in graph.nodes() {
        let name_of = |value: Value| {
            // Operands come before their consumers: the graph is append-only.
            named[value.node.index()][value.slot as usize].clone()
        };
        let fixed = |value: Value| {
            outputs.iter().find(|output| output.value == value).map(|o| o.name.clone())
        };
        match graph.origin(node) {
            Origin::Input | Origin::Captured(_) | Origin::Initializer(_) | Origin::Source(_) => {
                named
                    .push(graph.outputs(node).map(|value| graph.name(value).to_string()).collect());
            }
            Origin::NewInput => {
                let input = Value { node, slot: 0 };
                addition.inputs.push(value_info(graph, graph.name(input), graph.ty(input)));
                named.push(vec![graph.name(input).to_string()]);
            }
            Origin::NewConstant(tensor) => {
                let name = names.unique(&format!("abslrp/{}", constant_name(graph, tensor)));
                let mut tensor = (**tensor).clone();
                tensor.name = Some(name.clone());
                if graph.ir_version() < 4 {
                    let value = AttributeProto {
                        name: Some("value".into()),
                        r#type: Some(AttributeType::Tensor as i32),
                        t: Some(tensor),
                        ..AttributeProto::default()
                    };
                    let outputs = vec![name.clone()];
                    addition.nodes.push(message("Constant", &name, vec![], outputs, vec![value]));
                } else {
                    addition.initializers.push(tensor);
                }
                named.push(vec![name]);
            }
            Origin::New(emitted) | Origin::Body(emitted) => {
                let role = emitted.label.unwrap_or(&emitted.op_type);
                let name = names.unique(&format!("{}/abslrp/{role}", emitted.scope));
                let results: Vec<_> = graph
                    .outputs(node)
                    .map(|value| match (fixed(value), value.slot) {
                        (Some(shown), _) => shown,
                        (None, 0) => name.clone(),
                        (None, slot) => names.unique(&format!("{name}:{slot}")),
                    })
                    .collect();
                let mut inputs: Vec<_> = graph
                    .inputs(node)
                    .into_iter()
                    .map(|v| v.map_or(String::new(), name_of))
                    .collect();
                while inputs.last().is_some_and(String::is_empty) {
                    inputs.pop();
                }
                addition.nodes.push(message(
                    &emitted.op_type,
                    &name,
                    inputs,
                    results.clone(),
                    emitted.attributes.clone(),
                ));
                named.push(results);
            }
        }
    }
    for output in outputs {
        let shown = &named[output.value.node.index()][output.value.slot as usize];
        if *shown != output.name {
            // A second name for a value, or a name for one that is the source's own.
            let name = names.unique(&format!("{}/abslrp/Identity", output.name));
            let inputs = vec![shown.clone()];
            addition.nodes.push(message(
                "Identity",
                &name,
                inputs,
                vec![output.name.clone()],
                vec![],
            ));
        }
        addition.outputs.push(value_info(graph, &output.name, &output.ty));
    }
    addition
}

/// Every name that the source uses anywhere: a new one must not hide it.
fn names_in_use(graph: &Graph) -> BTreeSet<String> {
    fn collect(graph: &GraphProto, names: &mut BTreeSet<String>) {
        let values = graph.input.iter().chain(&graph.value_info).map(|info| info.name());
        names.extend(values.map(String::from));
        names.extend(graph.initializer.iter().map(|t| t.name().to_string()));
        for node in &graph.node {
            names.insert(node.name().to_string());
            names.extend(node.input.iter().chain(&node.output).cloned());
            for inner in node.attribute.iter().flat_map(|a| a.g.iter().chain(&a.graphs)) {
                collect(inner, names);
            }
        }
    }
    let mut names = BTreeSet::new();
    graph.source().graph.iter().for_each(|graph| collect(graph, &mut names));
    names
}

/// What a constant holds, short: `1e-9`, `[-1,3,32,32]`, `f64 2`, `i64[10]`.
fn constant_name(graph: &Graph, tensor: &TensorProto) -> String {
    let view = Tensor::new(tensor, graph.external());
    let elem = DataType::try_from(tensor.data_type()).unwrap_or_default();
    let prefix = if elem == DataType::Float || elem == DataType::Int64 {
        String::new()
    } else {
        format!("{} ", elem.short_name())
    };
    match (view.ints(), view.floats()) {
        (Some(ints), _) if tensor.dims.len() == 1 && ints.len() <= 8 => {
            let ints: Vec<_> = ints.iter().map(i64::to_string).collect();
            format!("{prefix}[{}]", ints.join(","))
        }
        (Some(ints), _) if ints.len() == 1 => format!("{prefix}{}", ints[0]),
        (_, Some(floats)) if floats.len() == 1 => match elem {
            DataType::Double => format!("{prefix}{:?}", floats[0]),
            _ => format!("{prefix}{:?}", floats[0] as f32),
        },
        _ => {
            let dims: Vec<_> = tensor.dims.iter().map(i64::to_string).collect();
            format!("{}[{}]", elem.short_name(), dims.join(","))
        }
    }
}

fn message(
    op_type: &str,
    name: &str,
    input: Vec<String>,
    output: Vec<String>,
    attribute: Vec<AttributeProto>,
) -> NodeProto {
    NodeProto {
        input,
        output,
        name: Some(name.into()),
        op_type: Some(op_type.into()),
        attribute,
        ..NodeProto::default()
    }
}

/// The declaration of a value of that type.
fn value_info(graph: &Graph, name: &str, ty: &Type) -> ValueInfoProto {
    let dim = |dim: &Dim| {
        let value = match dim {
            Dim::Known(n) => Some(dimension::Value::DimValue(*n)),
            Dim::Symbol(s) => graph.symbol(*s).map(|n| dimension::Value::DimParam(n.into())),
            Dim::Unknown => None,
        };
        Dimension { value, denotation: None }
    };
    let shape = ty.shape.as_ref();
    let tensor = type_proto::Tensor {
        elem_type: Some(ty.elem as i32),
        shape: shape.map(|dims| TensorShapeProto { dim: dims.iter().map(dim).collect() }),
    };
    ValueInfoProto {
        name: Some(name.into()),
        r#type: Some(TypeProto {
            value: Some(type_proto::Value::TensorType(tensor)),
            denotation: None,
        }),
        ..ValueInfoProto::default()
    }
}
