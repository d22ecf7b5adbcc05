//! One change to a model, of the kinds that files in the wild and in attacks have: structure, types,
//! sizes, constants, names.

use abslrp::{
    onnx::schema::{
        AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, TensorShapeProto,
        ValueInfoProto,
        tensor_shape_proto::{Dimension, dimension},
        type_proto,
    },
    operators,
};
use fastrand::Rng;

/// A kind of change: what was changed, or nothing where a graph has nothing of the kind.
type Change = fn(&mut GraphProto, &mut Rng) -> Option<String>;

/// The kinds, each as likely as the others. A kind that is named twice is twice as likely.
const CHANGES: &[Change] = &[
    attribute_value,
    attribute_value,
    attribute_lost,
    attribute_gained,
    operand_lost,
    operand_redirected,
    operand_redirected,
    operator,
    node_lost,
    node_twice,
    node_moved,
    result,
    constant_element,
    constant_element,
    constant_type,
    constant_shape,
    constant_is_an_input,
    input_type,
    input_shape,
    declaration,
    graph_output,
    branch,
    renamed,
];

/// The operator sets and versions of the format that are claimed, known and not.
const OPSETS: [i64; 12] = [-1, 0, 1, 8, 9, 11, 13, 15, 17, 20, 23, 99];

/// Changes one thing, and says what.
pub fn mutate(model: &mut ModelProto, random: &mut Rng) -> Option<String> {
    if random.u8(..) < 6 {
        return version(model, random);
    }
    let change = pick(random, CHANGES)?;
    change(any_graph(model.graph.as_mut()?, random), random)
}

/// The graph, or one below it.
fn any_graph<'g>(mut graph: &'g mut GraphProto, random: &mut Rng) -> &'g mut GraphProto {
    loop {
        let at = graph.node.iter().position(|node| node.attribute.iter().any(|a| a.g.is_some()));
        let Some(at) = at.filter(|_| random.bool()) else { return graph };
        let mut below = graph.node[at].attribute.iter_mut().filter_map(|a| a.g.as_mut());
        // `position` found a node with a graph, so that there is at least one.
        let Some(child) = below.next() else { unreachable!() };
        graph = match (below.next(), random.bool()) {
            (Some(other), true) => other,
            _ => child,
        };
    }
}

fn pick<'t, T>(random: &mut Rng, from: &'t [T]) -> Option<&'t T> {
    if from.is_empty() { None } else { from.get(random.usize(..from.len())) }
}

fn pick_mut<'t, T>(random: &mut Rng, from: &'t mut [T]) -> Option<&'t mut T> {
    if from.is_empty() { None } else { from.get_mut(random.usize(..from.len())) }
}

/// A number that is likely to be at a limit of something.
fn number(random: &mut Rng) -> i64 {
    const NUMBERS: [i64; 16] =
        [-1, 0, 1, 2, 3, 4, 5, 7, -2, -3, 100, 65_537, 1 << 31, 1 << 40, i64::MAX, i64::MIN];
    NUMBERS[random.usize(..NUMBERS.len())]
}

fn real(random: &mut Rng) -> f32 {
    const NUMBERS: [f32; 10] =
        [0.0, -0.0, 1.0, -1.0, 1e-40, 1e38, -3e38, f32::INFINITY, f32::NEG_INFINITY, f32::NAN];
    NUMBERS[random.usize(..NUMBERS.len())]
}

/// The name of a value, given or not.
fn any_value(graph: &GraphProto, random: &mut Rng) -> String {
    let given = graph.node.iter().flat_map(|node| node.output.iter().cloned());
    let named = graph.input.iter().map(|input| input.name().to_string());
    let constant = graph.initializer.iter().map(|tensor| tensor.name().to_string());
    let mut names: Vec<_> = given.chain(named).chain(constant).collect();
    names.extend([String::new(), "nowhere".into()]);
    names.swap_remove(random.usize(..names.len()))
}

fn attribute_of<'g>(
    graph: &'g mut GraphProto,
    random: &mut Rng,
) -> Option<(String, &'g mut AttributeProto)> {
    let node = pick_mut(random, &mut graph.node)?;
    let operator = node.op_type().to_string();
    Some((operator, pick_mut(random, &mut node.attribute)?))
}

fn attribute_value(graph: &mut GraphProto, random: &mut Rng) -> Option<String> {
    let (operator, attribute) = attribute_of(graph, random)?;
    match random.u8(..8) {
        0 => attribute.r#type = Some(random.i32(-1..16)),
        1 => attribute.ints.push(number(random)),
        2 => drop(attribute.ints.pop()),
        3 => attribute.f = Some(real(random)),
        4 => {
            const WORDS: [&str; 6] = ["", "reflect", "VALID", "linear", "\u{1b}[2J", "NOTSET"];
            attribute.s = Some(WORDS[random.usize(..WORDS.len())].into());
        }
        5 => attribute.name = Some("mode".into()),
        _ => match pick_mut(random, &mut attribute.ints) {
            Some(one) => *one = number(random),
            None => attribute.i = Some(number(random)),
        },
    }
    Some(format!("the attribute {} of {operator}", attribute.name()))
}

fn attribute_lost(graph: &mut GraphProto, random: &mut Rng) -> Option<String> {
    let node = pick_mut(random, &mut graph.node)?;
    let at = random.usize(..node.attribute.len().max(1));
    let lost = (at < node.attribute.len()).then(|| node.attribute.remove(at))?;
    Some(format!("{} without the attribute {}", node.op_type(), lost.name()))
}

fn attribute_gained(graph: &mut GraphProto, random: &mut Rng) -> Option<String> {
    const NAMES: [&str; 18] = [
        "axis",
        "axes",
        "keepdims",
        "pads",
        "strides",
        "dilations",
        "kernel_shape",
        "group",
        "ceil_mode",
        "mode",
        "auto_pad",
        "transA",
        "alpha",
        "to",
        "perm",
        "num_outputs",
        "exclusive",
        "noop_with_empty_axes",
    ];
    let node = pick_mut(random, &mut graph.node)?;
    let name = *pick(random, &NAMES)?;
    let value = number(random);
    node.attribute.push(AttributeProto {
        name: Some(name.into()),
        // A float, an integer, a text or a list of integers.
        r#type: pick(random, &[1, 2, 3, 7]).copied(),
        f: Some(real(random)),
        i: Some(value),
        ints: vec![value; random.usize(..5)],
        ..AttributeProto::default()
    });
    Some(format!("{} with the attribute {name}", node.op_type()))
}

fn operand_lost(graph: &mut GraphProto, random: &mut Rng) -> Option<String> {
    let node = pick_mut(random, &mut graph.node)?;
    let at = random.usize(..node.input.len().max(1));
    match node.input.get_mut(at)? {
        name if random.bool() => name.clear(),
        _ => drop(node.input.remove(at)),
    }
    Some(format!("{} without operand {at}", node.op_type()))
}

fn operand_redirected(graph: &mut GraphProto, random: &mut Rng) -> Option<String> {
    let other = any_value(graph, random);
    let node = pick_mut(random, &mut graph.node)?;
    let operand = pick_mut(random, &mut node.input)?;
    let what = format!("'{other}' for an operand");
    *operand = other;
    Some(format!("{what} of {}", node.op_type()))
}

fn operator(graph: &mut GraphProto, random: &mut Rng) -> Option<String> {
    let names: Vec<_> = operators().into_keys().collect();
    let name = *pick(random, &names)?;
    let node = pick_mut(random, &mut graph.node)?;
    if random.u8(..10) == 0 {
        node.domain = Some("com.microsoft".into());
    }
    Some(format!("{name} for {}", node.op_type.replace(name.into()).unwrap_or_default()))
}

fn node_lost(graph: &mut GraphProto, random: &mut Rng) -> Option<String> {
    let at = random.usize(..graph.node.len().max(1));
    let lost = (at < graph.node.len()).then(|| graph.node.remove(at))?;
    // Its reader takes its operand, so that more than a missing name is tried.
    let (from, to) = (lost.output.first()?, lost.input.first()?);
    for input in graph.node.iter_mut().flat_map(|node| &mut node.input) {
        if input == from {
            to.clone_into(input);
        }
    }
    Some(format!("no {}", lost.op_type()))
}

fn node_twice(graph: &mut GraphProto, random: &mut Rng) -> Option<String> {
    let node: NodeProto = pick(random, &graph.node)?.clone();
    let what = format!("{} twice", node.op_type());
    let mut twin = node.clone();
    if random.u8(..4) > 0 {
        for output in &mut twin.output {
            output.push_str("_twin");
        }
        // What read the one reads the other now and then.
        for input in graph.node.iter_mut().flat_map(|node| &mut node.input) {
            if node.output.contains(input) && random.bool() {
                input.push_str("_twin");
            }
        }
    }
    graph.node.push(twin);
    Some(what)
}

fn node_moved(graph: &mut GraphProto, random: &mut Rng) -> Option<String> {
    let count = graph.node.len();
    let (from, to) = (random.usize(..count.max(1)), random.usize(..count.max(1)));
    if count < 2 || from == to {
        return None;
    }
    graph.node.swap(from, to);
    Some(format!("nodes {from} and {to} in each other's place"))
}

fn result(graph: &mut GraphProto, random: &mut Rng) -> Option<String> {
    let node = pick_mut(random, &mut graph.node)?;
    let what = format!("the results of {}", node.op_type());
    match random.u8(..4) {
        0 => node.output.clear(),
        1 => node.output.push("more".into()),
        2 => node.output.insert(0, String::new()),
        _ => pick_mut(random, &mut node.output)?.push_str("/abslrp/z"),
    }
    Some(what)
}

/// The bytes of an element of a type, where it has whole ones.
fn element_size(data_type: i32) -> Option<usize> {
    match data_type {
        2 | 3 | 9 => Some(1),
        4 | 5 | 10 | 16 => Some(2),
        1 | 6 | 12 => Some(4),
        7 | 11 | 13 => Some(8),
        _ => None,
    }
}

fn constant_element(graph: &mut GraphProto, random: &mut Rng) -> Option<String> {
    let tensor = any_constant(graph, random)?;
    let size = element_size(tensor.data_type())?;
    let mut raw = tensor.raw_data.clone()?.to_vec();
    let element = match tensor.data_type() {
        1 => u64::from(real(random).to_bits()),
        _ => number(random).cast_unsigned(),
    };
    let count = raw.len() / size;
    let at = size * random.usize(..count.max(1));
    raw.get_mut(at..at + size)?.copy_from_slice(&element.to_le_bytes()[..size]);
    tensor.raw_data = Some(raw.into());
    Some(format!("an element of '{}'", tensor.name()))
}

/// An initializer, or the tensor of a Constant node.
fn any_constant<'g>(graph: &'g mut GraphProto, random: &mut Rng) -> Option<&'g mut TensorProto> {
    let attributes = graph.node.iter_mut().flat_map(|node| &mut node.attribute);
    let mut tensors: Vec<_> =
        graph.initializer.iter_mut().chain(attributes.filter_map(|a| a.t.as_mut())).collect();
    // Those of integers are few, and say more than weights do: shapes, axes, indices.
    if tensors.iter().any(|tensor| tensor.data_type() == 7) && random.bool() {
        tensors.retain(|tensor| tensor.data_type() == 7);
    }
    let at = random.usize(..tensors.len().max(1));
    (at < tensors.len()).then(|| tensors.swap_remove(at))
}

fn constant_type(graph: &mut GraphProto, random: &mut Rng) -> Option<String> {
    let tensor = any_constant(graph, random)?;
    tensor.data_type = Some(random.i32(-1..28));
    Some(format!("the type of '{}'", tensor.name()))
}

fn constant_shape(graph: &mut GraphProto, random: &mut Rng) -> Option<String> {
    let tensor = any_constant(graph, random)?;
    match random.u8(..5) {
        0 => tensor.dims.reverse(),
        1 => tensor.dims.insert(0, 1),
        2 => tensor.dims = Vec::new(),
        // Empty, as an exporter writes a missing operand.
        3 => (tensor.dims, tensor.raw_data) = (vec![0], Some(Vec::new().into())),
        _ => *pick_mut(random, &mut tensor.dims)? = number(random),
    }
    Some(format!("the shape of '{}'", tensor.name()))
}

fn constant_is_an_input(graph: &mut GraphProto, random: &mut Rng) -> Option<String> {
    let tensor = pick(random, &graph.initializer)?;
    let dims = tensor.dims.iter().map(|&size| Dimension {
        value: Some(dimension::Value::DimValue(size)),
        ..Dimension::default()
    });
    let mut input = graph.input.first()?.clone();
    input.name.clone_from(&tensor.name);
    let ty = tensor_type(&mut input)?;
    (ty.elem_type, ty.shape) = (tensor.data_type, Some(TensorShapeProto { dim: dims.collect() }));
    let what = format!("the constant '{}' as a default", tensor.name());
    graph.input.push(input);
    Some(what)
}

fn tensor_type(value: &mut ValueInfoProto) -> Option<&mut type_proto::Tensor> {
    match value.r#type.as_mut()?.value.as_mut()? {
        type_proto::Value::TensorType(tensor) => Some(tensor),
        _ => None,
    }
}

fn input_type(graph: &mut GraphProto, random: &mut Rng) -> Option<String> {
    let ty = tensor_type(pick_mut(random, &mut graph.input)?)?;
    ty.elem_type = pick(random, &[1, 2, 3, 6, 7, 8, 9, 10, 11, 16, 0, 77]).copied();
    Some("the type of an input".into())
}

/// Another shape of what has a type.
fn reshape(value: &mut ValueInfoProto, random: &mut Rng) -> Option<()> {
    let ty = tensor_type(value)?;
    let Some(shape) = ty.shape.as_mut().filter(|_| random.u8(..5) > 0) else {
        ty.shape = None;
        return Some(());
    };
    match random.u8(..5) {
        0 => drop(shape.dim.pop()),
        1 => shape.dim.push(Dimension::default()),
        2 => shape.dim.reverse(),
        3 => {
            let name = pick(random, &["N", "batch", "s"])?.to_string();
            pick_mut(random, &mut shape.dim)?.value = Some(dimension::Value::DimParam(name));
        }
        _ => {
            let size = number(random);
            pick_mut(random, &mut shape.dim)?.value = Some(dimension::Value::DimValue(size));
        }
    }
    Some(())
}

fn input_shape(graph: &mut GraphProto, random: &mut Rng) -> Option<String> {
    reshape(pick_mut(random, &mut graph.input)?, random)?;
    Some("the shape of an input".into())
}

/// What the file says of a result, or what it does not say any longer.
fn declaration(graph: &mut GraphProto, random: &mut Rng) -> Option<String> {
    if random.bool() {
        graph.value_info.clear();
        return Some("no types".into());
    }
    let mut declared = graph.output.first()?.clone();
    declared.name = Some(any_value(graph, random));
    let _ = reshape(&mut declared, random);
    let what = format!("the type of '{}'", declared.name());
    graph.value_info.push(declared);
    Some(what)
}

fn graph_output(graph: &mut GraphProto, random: &mut Rng) -> Option<String> {
    let name = any_value(graph, random);
    let mut output = graph.output.first()?.clone();
    let what = format!("the output '{name}'");
    output.name = Some(name);
    tensor_type(&mut output)?.shape = None;
    match random.bool() {
        true => graph.output.insert(0, output),
        false => graph.output.push(output),
    }
    Some(what)
}

/// A node in the branches of an If, with a condition that is known or not.
fn branch(graph: &mut GraphProto, random: &mut Rng) -> Option<String> {
    let at = random.usize(..graph.node.len().max(1));
    let node = graph.node.get(at)?.clone();
    let outputs = node.output.iter().map(|name| ValueInfoProto {
        name: Some(format!("{name}_inner")),
        ..graph.output.first().cloned().unwrap_or_default()
    });
    let mut inner = node.clone();
    for output in &mut inner.output {
        output.push_str("_inner");
    }
    let body = GraphProto {
        name: Some("branch".into()),
        node: vec![inner],
        output: outputs.collect(),
        ..GraphProto::default()
    };
    let branch = |name: &str| AttributeProto {
        name: Some(name.into()),
        r#type: Some(5),
        g: Some(body.clone()),
        ..AttributeProto::default()
    };
    let condition = any_value(graph, random);
    let what = format!("{} within an If on '{condition}'", node.op_type());
    graph.node[at] = NodeProto {
        op_type: Some("If".into()),
        input: vec![condition],
        output: node.output,
        attribute: vec![branch("then_branch"), branch("else_branch")],
        ..NodeProto::default()
    };
    Some(what)
}

/// A name that was not made to be read: of control characters, very long, or taken.
fn renamed(graph: &mut GraphProto, random: &mut Rng) -> Option<String> {
    let from = Some(any_value(graph, random)).filter(|name| !name.is_empty())?;
    let to = match random.u8(..4) {
        0 => "\u{1b}[31m\u{202e}\n".to_string(),
        1 => "v".repeat(5000),
        2 => format!("{from}_relevance"),
        _ => any_value(graph, random),
    };
    let names =
        graph.node.iter_mut().flat_map(|node| node.input.iter_mut().chain(&mut node.output));
    names.filter(|name| **name == from).for_each(|name| name.clone_from(&to));
    let values = graph.input.iter_mut().chain(&mut graph.output).map(|value| &mut value.name);
    let tensors = graph.initializer.iter_mut().map(|tensor| &mut tensor.name);
    for name in values.chain(tensors).filter(|name| name.as_deref() == Some(&from)) {
        *name = Some(to.clone());
    }
    Some(format!("'{from}' renamed to {:?}", to.chars().take(20).collect::<String>()))
}

fn version(model: &mut ModelProto, random: &mut Rng) -> Option<String> {
    if random.bool() {
        model.ir_version = pick(random, &[0, 1, 3, 4, 8, 10, 13, 99]).copied();
        return Some("the version of the format".into());
    }
    let opset = pick_mut(random, &mut model.opset_import)?;
    opset.version = pick(random, &OPSETS).copied();
    Some("the operator set".into())
}
