//! Relevance on demand: all that is added runs in a branch that a graph input chooses, and costs nothing elsewhere.
//!
//! What relevance needs of the model is computed again in the branch. If the branch read it, it would have to be kept
//! and laid out for it whether or not anybody asks: on ONNX Runtime that cost a mobile network a third of its speed.

use std::collections::{BTreeMap, BTreeSet, btree_map::Entry};

use super::export::message;
use crate::onnx::{
    Addition, DataType, Model,
    attribute::int,
    schema::{
        AttributeProto, GraphProto, NodeProto, TensorProto, TensorShapeProto, TypeProto,
        ValueInfoProto,
        attribute_proto::AttributeType,
        tensor_shape_proto::{Dimension, dimension},
        type_proto,
    },
};

/// The graph input that asks for relevance.
pub const EXPLAIN: &str = "explain";

/// How an output of the branch is called, behind which the graph output gets its name.
pub fn within(name: &str) -> String {
    format!("{name}/abslrp/then")
}

/// Puts what is added in the branch of an `If` that runs where `explain` holds. Elsewhere relevance is empty: its first
/// axis has no element. `names` are those of the graph outputs.
pub fn on_demand(source: &Model, addition: Addition, names: &[String]) -> Addition {
    let Addition { nodes, initializers, mut inputs, outputs, metadata } = addition;
    let nodes = with_source(source.graph(), nodes);
    let then = GraphProto {
        name: Some("then_branch".into()),
        node: nodes,
        initializer: initializers,
        output: outputs.clone(),
        ..GraphProto::default()
    };
    let empty: Vec<_> = names.iter().map(|name| format!("{name}/abslrp/else")).collect();
    let both = || outputs.iter().zip(&empty);
    let otherwise = GraphProto {
        name: Some("else_branch".into()),
        node: both().flat_map(|(output, name)| nothing(name, output, source.opset())).collect(),
        output: both()
            .map(|(output, name)| ValueInfoProto { name: Some(name.clone()), ..opened(output) })
            .collect(),
        ..GraphProto::default()
    };
    let branch = |graph: GraphProto| AttributeProto {
        name: graph.name.clone(),
        r#type: Some(AttributeType::Graph as i32),
        g: Some(graph),
        ..AttributeProto::default()
    };
    let branches = vec![branch(otherwise), branch(then)];
    let node = message("If", "abslrp/If", vec![EXPLAIN.into()], names.to_vec(), branches);
    inputs.push(ValueInfoProto {
        name: Some(EXPLAIN.into()),
        r#type: Some(tensor(DataType::Bool as i32, Some(Vec::new()))),
        ..ValueInfoProto::default()
    });
    let named = |(output, name): (&ValueInfoProto, &String)| ValueInfoProto {
        name: Some(name.clone()),
        ..opened(output)
    };
    let outputs = outputs.iter().zip(names).map(named).collect();
    Addition { nodes: vec![node], initializers: Vec::new(), inputs, outputs, metadata }
}

/// Nodes behind copies of those of the source that they need. What is drawn at random is read from the source: drawn
/// again, it would be something else.
fn with_source(source: &GraphProto, mut nodes: Vec<NodeProto>) -> Vec<NodeProto> {
    let mut producers = BTreeMap::new();
    for (at, node) in source.node.iter().enumerate().filter(|(_, node)| !is_random(node)) {
        producers.extend(node.output.iter().map(|name| (name.as_str(), at)));
    }
    // What each node reads that is needed, by its place in the list.
    let mut needed = BTreeMap::new();
    let mut reads: Vec<String> = Vec::new();
    for node in &mut nodes {
        each_read(node, &mut |name| reads.push(name.clone()));
    }
    while let Some(name) = reads.pop() {
        if let Some(&at) = producers.get(name.as_str())
            && let Entry::Vacant(place) = needed.entry(at)
        {
            let mut own = Vec::new();
            each_read(&mut source.node[at].clone(), &mut |name| own.push(name.clone()));
            reads.extend_from_slice(&own);
            place.insert(
                own.iter().filter_map(|name| producers.get(name.as_str())).copied().collect(),
            );
        }
    }
    let needed = sorted(&needed);
    let copied: BTreeSet<&str> =
        needed.iter().flat_map(|&at| &source.node[at].output).map(String::as_str).collect();
    let again = |name: &mut String| {
        if copied.contains(name.as_str()) && !name.is_empty() {
            name.push_str("/abslrp/again");
        }
    };
    let mut all: Vec<_> = needed.iter().map(|&at| source.node[at].clone()).collect();
    for node in &mut all {
        node.output.iter_mut().for_each(again);
        // A node without a name has none here either: it would be that of all others.
        let named = node.name.take().filter(|name| !name.is_empty());
        node.name = named.map(|name| format!("{name}/abslrp/again"));
    }
    all.append(&mut nodes);
    for node in &mut all {
        each_read(node, &mut |name| again(name));
    }
    all
}

/// The order of execution, which is that of the places wherever it can be: a graph may list nodes in any order, a
/// branch may not. Each place comes behind those that it reads, all of which have reads of their own here.
fn sorted(reads: &BTreeMap<usize, Vec<usize>>) -> Vec<usize> {
    let (mut order, mut entered, mut done) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
    for &place in reads.keys() {
        let mut path = vec![place];
        while let Some(&last) = path.last() {
            if entered.insert(last) {
                path.extend(reads[&last].iter().filter(|place| !entered.contains(*place)));
                continue;
            }
            path.pop();
            if done.insert(last) {
                order.push(last);
            }
        }
    }
    order
}

/// Whether a node gives something else each time.
fn is_random(node: &NodeProto) -> bool {
    node.op_type().starts_with("Random") || ["Multinomial", "Bernoulli"].contains(&node.op_type())
}

/// Visits every name that a node reads, in its subgraphs too.
fn each_read(node: &mut NodeProto, visit: &mut dyn FnMut(&mut String)) {
    node.input.iter_mut().for_each(&mut *visit);
    let subgraphs = node.attribute.iter_mut().flat_map(|a| a.g.iter_mut().chain(&mut a.graphs));
    for graph in subgraphs {
        for node in &mut graph.node {
            each_read(node, visit);
        }
        graph.output.iter_mut().filter_map(|output| output.name.as_mut()).for_each(&mut *visit);
    }
}

/// The type of an output, as far as it is the same in both branches: the first size is not.
fn opened(output: &ValueInfoProto) -> ValueInfoProto {
    let (elem, mut dims) = parts(output);
    if let Some(first) = dims.as_mut().and_then(|dims| dims.first_mut()) {
        *first = Dimension::default();
    }
    ValueInfoProto { r#type: Some(tensor(elem, dims)), ..ValueInfoProto::default() }
}

/// Nodes for an empty tensor of an output's type; a number has no axis to be empty along, and is 0.
fn nothing(name: &str, output: &ValueInfoProto, opset: i64) -> Vec<NodeProto> {
    let (elem, dims) = parts(output);
    let width = if elem == DataType::Double as i32 { 8 } else { 4 };
    let size = |(axis, dim): (usize, &Dimension)| match dim.value {
        Some(dimension::Value::DimValue(n)) if axis > 0 => n,
        _ => i64::from(axis > 0),
    };
    let dims: Vec<_> = dims.map_or(vec![0], |dims| dims.iter().enumerate().map(size).collect());
    if dims.is_empty() {
        return vec![constant(name, elem, dims, vec![0; width])];
    }
    if opset >= 11 {
        return vec![constant(name, elem, dims, Vec::new())];
    }
    // Before, branches may not be known to differ in a size: what a mask leaves of a list of sizes is not known.
    let [none, all, mask, sizes] =
        ["none", "all", "mask", "sizes"].map(|what| format!("{name}/{what}"));
    let rank = dims.len();
    let list = dims.iter().flat_map(|size| size.to_le_bytes()).collect();
    vec![
        constant(&none, elem, vec![0], Vec::new()),
        constant(&all, DataType::Int64 as i32, vec![rank as i64], list),
        constant(&mask, DataType::Bool as i32, vec![rank as i64], vec![1; rank]),
        message("Compress", &sizes, vec![all, mask], vec![sizes.clone()], vec![int("axis", 0)]),
        message("Reshape", name, vec![none, sizes], vec![name.into()], Vec::new()),
    ]
}

fn constant(name: &str, elem: i32, dims: Vec<i64>, bytes: Vec<u8>) -> NodeProto {
    let value = TensorProto {
        dims,
        data_type: Some(elem),
        raw_data: Some(bytes.into()),
        ..TensorProto::default()
    };
    let value = AttributeProto {
        name: Some("value".into()),
        r#type: Some(AttributeType::Tensor as i32),
        t: Some(value),
        ..AttributeProto::default()
    };
    message("Constant", name, Vec::new(), vec![name.into()], vec![value])
}

/// The type of the elements and the sizes of what is declared.
fn parts(output: &ValueInfoProto) -> (i32, Option<Vec<Dimension>>) {
    match output.r#type.as_ref().and_then(|ty| ty.value.as_ref()) {
        Some(type_proto::Value::TensorType(tensor)) => {
            (tensor.elem_type(), tensor.shape.as_ref().map(|shape| shape.dim.clone()))
        }
        _ => (DataType::Float as i32, None),
    }
}

fn tensor(elem: i32, dims: Option<Vec<Dimension>>) -> TypeProto {
    let shape = dims.map(|dim| TensorShapeProto { dim });
    let tensor = type_proto::Tensor { elem_type: Some(elem), shape };
    TypeProto { value: Some(type_proto::Value::TensorType(tensor)), denotation: None }
}
