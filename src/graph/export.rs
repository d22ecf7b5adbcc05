//! From a graph to what is written behind its source: the place where new values get names.

use std::collections::{BTreeMap, BTreeSet};

use super::{Dim, Graph, Origin, Type, Value};
use crate::onnx::{
    Addition, DataType, Tensor,
    schema::{AttributeProto, GraphProto, NodeProto, attribute_proto::AttributeType},
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

impl Graph {
    /// What the compiler appended, as messages, with `outputs` added to the graph outputs.
    ///
    /// New nodes are called `<source node>/abslrp/<role>`, and constants `abslrp/<value>`; equal
    /// names are numbered in order of execution, so that names are stable as long as the source and
    /// the options are.
    pub fn addition(&self, outputs: &[Output]) -> Addition {
        let mut names = Names { taken: self.names_in_use(), wanted: BTreeMap::new() };
        names.taken.extend(outputs.iter().map(|output| output.name.clone()));
        let mut named: Vec<Vec<String>> = Vec::with_capacity(self.dag.node_count());
        let mut addition = Addition::default();
        for node in self.nodes() {
            let facts = &self.dag[node].outputs;
            let name_of = |value: Value| {
                // Operands come before their consumers: the graph is append-only.
                named[value.node.index()][value.slot as usize].clone()
            };
            let fixed = |value: Value| {
                outputs.iter().find(|output| output.value == value).map(|o| o.name.clone())
            };
            match &self.dag[node].origin {
                Origin::Input | Origin::Initializer(_) | Origin::Source(_) => {
                    named.push(facts.iter().map(|facts| facts.name.clone()).collect());
                }
                Origin::NewInput(info) => {
                    addition.inputs.push((**info).clone());
                    named.push(vec![info.name().to_string()]);
                }
                Origin::NewConstant(tensor) => {
                    let name = names.unique(&format!("abslrp/{}", self.constant_name(tensor)));
                    let mut tensor = (**tensor).clone();
                    tensor.name = Some(name.clone());
                    if self.ir_version() < 4 {
                        let value = AttributeProto {
                            name: Some("value".into()),
                            r#type: Some(AttributeType::Tensor as i32),
                            t: Some(tensor),
                            ..AttributeProto::default()
                        };
                        let outputs = vec![name.clone()];
                        addition.nodes.push(message(
                            "Constant",
                            &name,
                            vec![],
                            outputs,
                            vec![value],
                        ));
                    } else {
                        addition.initializers.push(tensor);
                    }
                    named.push(vec![name]);
                }
                Origin::New(emitted) | Origin::Body(emitted) => {
                    let role = emitted.role.unwrap_or(&emitted.op_type);
                    let name = names.unique(&format!("{}/abslrp/{role}", emitted.scope));
                    let results: Vec<_> = self
                        .outputs(node)
                        .map(|value| match (fixed(value), value.slot) {
                            (Some(shown), _) => shown,
                            (None, 0) => name.clone(),
                            (None, slot) => names.unique(&format!("{name}:{slot}")),
                        })
                        .collect();
                    let mut inputs: Vec<_> = self
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
            addition.outputs.push(self.value_info(&output.name, &output.ty));
        }
        addition
    }

    /// Every name that the source uses anywhere: a new one must not hide it.
    fn names_in_use(&self) -> BTreeSet<String> {
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
        self.source.graph.iter().for_each(|graph| collect(graph, &mut names));
        names
    }

    /// What a constant holds, short: `1e-9`, `[-1,3,32,32]`, `f64 2`, `i64[10]`.
    fn constant_name(&self, tensor: &crate::onnx::schema::TensorProto) -> String {
        let view = Tensor::new(tensor, &self.external);
        let elem = DataType::try_from(tensor.data_type()).unwrap_or_default();
        let prefix = if elem == DataType::Float || elem == DataType::Int64 {
            String::new()
        } else {
            format!("{} ", type_name(elem))
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
                format!("{}[{}]", type_name(elem), dims.join(","))
            }
        }
    }

    /// A type as text: `f32[batch, 3, ?]`.
    pub fn type_text(&self, ty: &Type) -> String {
        let shape = ty.shape.as_ref().map_or("[…]".into(), |dims| self.shape_text(dims));
        format!("{}{shape}", type_name(ty.elem))
    }

    /// A shape as text.
    pub fn shape_text(&self, dims: &[Dim]) -> String {
        let dim = |dim: &Dim| match dim {
            Dim::Known(n) => n.to_string(),
            Dim::Symbol(s) => self.symbol(*s).unwrap_or("?").to_string(),
            Dim::Unknown => "?".into(),
        };
        format!("[{}]", dims.iter().map(dim).collect::<Vec<_>>().join(", "))
    }
}

/// An element type, short.
pub fn type_name(elem: DataType) -> String {
    let name = elem.as_str_name().to_ascii_lowercase();
    match elem {
        DataType::Undefined => "?".into(),
        DataType::Float => "f32".into(),
        DataType::Double => "f64".into(),
        DataType::Float16 => "f16".into(),
        DataType::Bfloat16 => "bf16".into(),
        DataType::Bool | DataType::String => name,
        _ => name.replace("uint", "u").replace("int", "i"),
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

struct Names {
    taken: BTreeSet<String>,
    /// How often a name was wanted, so that many equal ones are not tried one by one.
    wanted: BTreeMap<String, u64>,
}

impl Names {
    fn unique(&mut self, wanted: &str) -> String {
        let count = self.wanted.entry(wanted.into()).or_default();
        loop {
            *count += 1;
            let numbered = format!("{wanted}_{count}");
            let name = if *count == 1 { wanted.to_string() } else { numbered };
            if self.taken.insert(name.clone()) {
                return name;
            }
        }
    }
}
