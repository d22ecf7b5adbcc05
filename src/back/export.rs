//! From a graph to the messages that are written behind its source. New values get their names here.
//! Nodes of the source, and their subgraphs, are not written: they stand in the file already.

use std::{
    collections::{BTreeMap, BTreeSet},
    mem,
};

use super::names::Names;
use crate::{
    ir::{Child, Dim, Graph, Origin, Type, Value},
    onnx::{
        Addition, DataType, Tensor,
        schema::{
            AttributeProto, GraphProto, NodeProto, TensorProto, TensorShapeProto, TypeProto,
            ValueInfoProto,
            attribute_proto::AttributeType,
            tensor_shape_proto::{Dimension, dimension},
            type_proto,
        },
        shown::beginning,
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
    // The first of several outputs that show a value names it.
    let shown = outputs.iter().rev().map(|output| (output.value, output.name.as_str())).collect();
    let mut export = Export { names, into: GraphProto::default() };
    let named = export.nodes(graph, &shown, &[]);
    for output in outputs {
        let shown = &named[output.value.node.index()][output.value.slot as usize];
        if *shown != output.name {
            // A second name for a value, or a name for one that is the source's own.
            let name = export.names.unique(&format!("{}/abslrp/Identity", beginning(&output.name)));
            export.rename(shown, &name, &output.name);
        }
        export.into.output.push(value_info(graph, &output.name, &output.ty));
    }
    let GraphProto { node, initializer, input, output, .. } = export.into;
    let metadata = Vec::new();
    Addition { nodes: node, initializers: initializer, inputs: input, outputs: output, metadata }
}

/// A graph's message under construction.
struct Export {
    names: Names,
    into: GraphProto,
}

impl Export {
    /// Writes what the compiler appended to a graph, and returns the names of the values of all nodes.
    /// `shown` are names to give to some, `captured` those of what a subgraph reads from outside.
    fn nodes(
        &mut self,
        graph: &Graph,
        shown: &BTreeMap<Value, &str>,
        captured: &[String],
    ) -> Vec<Vec<String>> {
        let mut named: Vec<Vec<String>> = Vec::with_capacity(graph.nodes().len());
        for node in graph.nodes() {
            // Operands come before their consumers: the graph is append-only.
            let name_of = |value: Value| named[value.node.index()][value.slot as usize].clone();
            let first = Value { node, slot: 0 };
            let results = match graph.origin(node) {
                Origin::Input if graph.is_added() => {
                    let name = self.names.unique("abslrp/input");
                    self.into.input.push(value_info(graph, &name, graph.ty(first)));
                    vec![name]
                }
                Origin::Input | Origin::Initializer(_) | Origin::Source(_) => {
                    graph.outputs(node).map(|value| graph.name(value).to_string()).collect()
                }
                Origin::NewInput => {
                    self.into.input.push(value_info(graph, graph.name(first), graph.ty(first)));
                    vec![graph.name(first).to_string()]
                }
                Origin::Captured(place) => captured.get(*place).cloned().into_iter().collect(),
                Origin::NewConstant(tensor) => vec![self.constant(graph, tensor)],
                Origin::New(emitted) | Origin::Body(emitted) => {
                    let role = emitted.label.unwrap_or(&emitted.op_type);
                    let name =
                        self.names.unique(&format!("{}/abslrp/{role}", beginning(&emitted.scope)));
                    let result = |value: Value| match (shown.get(&value), value.slot) {
                        (Some(&shown), _) => shown.to_string(),
                        (None, 0) => name.clone(),
                        (None, slot) => self.names.unique(&format!("{name}:{slot}")),
                    };
                    let results: Vec<_> = graph.outputs(node).map(result).collect();
                    let inputs = graph.inputs(node).into_iter();
                    let mut inputs: Vec<_> =
                        inputs.map(|v| v.map_or(String::new(), name_of)).collect();
                    while inputs.last().is_some_and(String::is_empty) {
                        inputs.pop();
                    }
                    let captured: Vec<_> = graph.captured(node).into_iter().map(name_of).collect();
                    let children = graph.children(node).iter();
                    let children = children.map(|child| self.subgraph(child, &captured));
                    let attributes = emitted.attributes.iter().cloned().chain(children).collect();
                    let (op_type, outputs) = (&emitted.op_type, results.clone());
                    self.into.node.push(message(op_type, &name, inputs, outputs, attributes));
                    results
                }
            };
            named.push(results);
        }
        named
    }

    /// Writes a constant, and returns its name.
    fn constant(&mut self, graph: &Graph, tensor: &TensorProto) -> String {
        let name = self.names.unique(&format!("abslrp/{}", constant_name(graph, tensor)));
        let tensor = TensorProto { name: Some(name.clone()), ..tensor.clone() };
        if graph.ir_version() < 4 {
            let value = AttributeProto {
                name: Some("value".into()),
                r#type: Some(AttributeType::Tensor as i32),
                t: Some(tensor),
                ..AttributeProto::default()
            };
            let outputs = vec![name.clone()];
            self.into.node.push(message("Constant", &name, vec![], outputs, vec![value]));
        } else {
            self.into.initializer.push(tensor);
        }
        name
    }

    /// A subgraph as an attribute. What it only passes on it has to name anew: its outputs are its own.
    fn subgraph(&mut self, child: &Child, captured: &[String]) -> AttributeProto {
        let outer = mem::take(&mut self.into);
        let graph = &child.graph;
        let named = self.nodes(graph, &BTreeMap::new(), captured);
        let mut given = BTreeSet::new();
        for value in graph.graph_outputs() {
            let mut name = named[value.node.index()][value.slot as usize].clone();
            if !matches!(graph.origin(value.node), Origin::New(_)) || given.contains(&name) {
                let own = self.names.unique("abslrp/Identity");
                self.rename(&name, &own, &own);
                name = own;
            }
            self.into.output.push(value_info(graph, &name, graph.ty(value)));
            given.insert(name);
        }
        self.into.name = Some(child.attribute.clone());
        AttributeProto {
            name: Some(child.attribute.clone()),
            r#type: Some(AttributeType::Graph as i32),
            g: Some(mem::replace(&mut self.into, outer)),
            ..AttributeProto::default()
        }
    }

    /// Gives a value another name.
    fn rename(&mut self, value: &str, node: &str, name: &str) {
        let (inputs, outputs) = (vec![value.into()], vec![name.into()]);
        self.into.node.push(message("Identity", node, inputs, outputs, vec![]));
    }
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

pub fn message(
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
    let tensor = || type_proto::Tensor {
        elem_type: Some(ty.elem as i32),
        shape: shape.map(|dims| TensorShapeProto { dim: dims.iter().map(dim).collect() }),
    };
    // In a subgraph a type may be left out, which runtimes infer then.
    let ty = (ty.elem != DataType::Undefined).then(|| TypeProto {
        value: Some(type_proto::Value::TensorType(tensor())),
        denotation: None,
    });
    ValueInfoProto { name: Some(name.into()), r#type: ty, ..ValueInfoProto::default() }
}
