//! A model as text: stable, diffable, one line per node.
//!
//! Weights are shown by type and shape, small constants by value. Nothing in it depends on the
//! machine or the run, so that a snapshot of an emitted graph shows what a change does to it.

use std::fmt::Write;

use super::{
    External, Tensor,
    schema::{
        AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, TypeProto,
        attribute_proto::AttributeType, tensor_shape_proto::dimension, type_proto,
    },
    shown::Escaped,
};

/// The text of a model.
pub fn model(model: &ModelProto, external: &External) -> String {
    let mut out = String::new();
    let opsets = model.opset_import.iter().map(|o| match o.domain() {
        "" => format!("opset {}", o.version()),
        domain => format!("{} {}", Escaped(domain), o.version()),
    });
    let opsets: Vec<_> = opsets.collect();
    let _ = writeln!(out, "ir {}, {}", model.ir_version(), opsets.join(", "));
    let text = Text { external };
    if let Some(graph) = &model.graph {
        text.graph(&mut out, graph, "");
    }
    for function in &model.functions {
        let (input, output) = (function.input.join(", "), function.output.join(", "));
        let _ = writeln!(
            out,
            "function {}.{}({}) -> {}",
            Escaped(function.domain()),
            Escaped(function.name()),
            Escaped(&input),
            Escaped(&output)
        );
        function.node.iter().for_each(|node| text.node(&mut out, node, "  "));
    }
    for entry in &model.metadata_props {
        let _ = writeln!(out, "meta   {} = {:?}", Escaped(entry.key()), entry.value());
    }
    out
}

struct Text<'x> {
    external: &'x External,
}

impl Text<'_> {
    fn graph(&self, out: &mut String, graph: &GraphProto, indent: &str) {
        for input in &graph.input {
            let ty = input.r#type.as_ref().map_or_else(|| "?".into(), ty);
            let _ = writeln!(out, "{indent}input  {}: {ty}", Escaped(input.name()));
        }
        for tensor in &graph.initializer {
            let (name, text) = (Escaped(tensor.name()), self.tensor(tensor));
            let _ = writeln!(out, "{indent}const  {name}: {text}");
        }
        graph.node.iter().for_each(|node| self.node(out, node, indent));
        for output in &graph.output {
            let ty = output.r#type.as_ref().map_or_else(|| "?".into(), ty);
            let _ = writeln!(out, "{indent}output {}: {ty}", Escaped(output.name()));
        }
    }

    fn node(&self, out: &mut String, node: &NodeProto, indent: &str) {
        let domain = match node.domain() {
            "" | "ai.onnx" => String::new(),
            domain => format!("{domain}."),
        };
        let mut attributes: Vec<_> =
            node.attribute.iter().map(|a| format!("{}={}", a.name(), self.attribute(a))).collect();
        attributes.sort_unstable();
        let braces = match attributes.is_empty() {
            true => String::new(),
            false => format!(" {{{}}}", attributes.join(", ")),
        };
        let name = match node.name() {
            "" => String::new(),
            // A single result that is called like its node needs no second name.
            name if node.output.len() == 1 && node.output[0] == name => String::new(),
            name => format!("  # {name}"),
        };
        let inputs = node.input.iter().map(|i| if i.is_empty() { "·" } else { i });
        let inputs: Vec<_> = inputs.collect();
        let outputs = node.output.join(", ");
        let call = format!("{domain}{}({})", node.op_type(), inputs.join(", "));
        let line = format!("{outputs} = {call}{braces}{name}");
        let _ = writeln!(out, "{indent}{}", Escaped(&line));
        for attribute in &node.attribute {
            for graph in attribute.g.iter().chain(&attribute.graphs) {
                let _ = writeln!(out, "{indent}  {}:", Escaped(attribute.name()));
                self.graph(out, graph, &format!("{indent}    "));
            }
        }
    }

    fn attribute(&self, a: &AttributeProto) -> String {
        match a.r#type() {
            AttributeType::Float => format!("{:?}", a.f()),
            AttributeType::Int => a.i().to_string(),
            AttributeType::String => format!("{:?}", String::from_utf8_lossy(a.s())),
            AttributeType::Floats => format!("{:?}", a.floats),
            AttributeType::Ints => format!("{:?}", a.ints),
            AttributeType::Strings => {
                let strings: Vec<_> =
                    a.strings.iter().map(|s| String::from_utf8_lossy(s)).collect();
                format!("{strings:?}")
            }
            AttributeType::Tensor => a.t.as_ref().map_or_else(String::new, |t| self.tensor(t)),
            AttributeType::Graph | AttributeType::Graphs => "…".into(),
            other => other.as_str_name().to_lowercase(),
        }
    }

    fn tensor(&self, tensor: &TensorProto) -> String {
        let dims: Vec<_> = tensor.dims.iter().map(i64::to_string).collect();
        let elem = super::DataType::try_from(tensor.data_type()).unwrap_or_default();
        let mut text = format!("{}[{}]", elem.short_name(), dims.join(", "));
        let view = Tensor::new(tensor, self.external);
        let values = match (view.ints(), view.floats()) {
            (Some(ints), _) if ints.len() <= 16 => ints.iter().map(i64::to_string).collect(),
            (_, Some(floats)) if floats.len() <= 4 => {
                // As many digits as tell the values of the type apart.
                let wide = elem == super::DataType::Double;
                let digits =
                    |v: &f64| if wide { format!("{v:?}") } else { format!("{:?}", *v as f32) };
                floats.iter().map(digits).collect()
            }
            _ => Vec::new(),
        };
        if External::holds(tensor) {
            text.push_str(" external");
        }
        if !values.is_empty() {
            let _ = write!(text, " = {}", values.join(", "));
        }
        text
    }
}

fn ty(ty: &TypeProto) -> String {
    let Some(type_proto::Value::TensorType(tensor)) = &ty.value else { return "no tensor".into() };
    let elem = super::DataType::try_from(tensor.elem_type()).unwrap_or_default();
    let dims = tensor.shape.as_ref().map_or_else(
        || vec!["…".into()],
        |shape| {
            let dim = |d: &super::schema::tensor_shape_proto::Dimension| match &d.value {
                Some(dimension::Value::DimValue(n)) => n.to_string(),
                Some(dimension::Value::DimParam(name)) => Escaped(name).to_string(),
                None => "?".into(),
            };
            shape.dim.iter().map(dim).collect()
        },
    );
    format!("{}[{}]", elem.short_name(), dims.join(", "))
}
