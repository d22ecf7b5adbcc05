//! What is found out of subgraphs.

use std::fmt::Write;

use crate::{
    Options,
    back::addition,
    compile,
    front::import,
    ir::Graph,
    onnx::{
        self, Addition, Model,
        schema::{AttributeProto, GraphProto},
    },
    ops::REGISTRY,
    options::OnUnsupported,
};

fn source(name: &str) -> (Model, Graph) {
    let model = Model::open(format!("fixtures/{name}")).unwrap();
    let graph = import(&model, &REGISTRY).unwrap();
    (model, graph)
}

/// The values of a graph with their types, those that depend on an input with a star.
fn values(graph: &Graph, indent: usize, text: &mut String) {
    for node in graph.nodes() {
        for value in graph.outputs(node).filter(|&v| !graph.name(v).is_empty()) {
            let star = if graph.is_active(value) { " *" } else { "" };
            let (name, ty) = (graph.name(value), graph.type_text(graph.ty(value)));
            writeln!(text, "{:indent$}{name}: {ty}{star}", "").unwrap();
        }
        for child in graph.children(node) {
            writeln!(text, "{:indent$}  {}:", "", child.attribute).unwrap();
            values(&child.graph, indent + 4, text);
        }
    }
}

fn described(name: &str) -> String {
    let mut text = String::new();
    values(&source(&format!("subgraphs/{name}.onnx")).1, 0, &mut text);
    text
}

#[test]
fn branches_have_the_types_of_what_they_capture() {
    insta::assert_snapshot!(described("if"), @r"
    x: f32[N, 4] *
    c: bool[] *
    h: f32[N, 4] *
    two: f32[]
    p: f32[N, ?] *
      then_branch:
        h: f32[N, 4] *
        two: f32[]
        a: f32[N, 4] *
      else_branch:
        x: f32[N, 4] *
        h: f32[N, 4] *
        b: f32[N, 8] *
    y: f32[N, k] *
    ");
}

#[test]
fn carried_values_keep_what_every_iteration_keeps() {
    insta::assert_snapshot!(described("loop"), @r"
    x: f32[N, 4] *
    trips: i64[] *
    yes: bool[]
    zero: i64[]
    flat: f32[1, 4]
    a: f32[N, 4] *
    b: f32[N, m] *
    n: i64[] *
    d: f32[N, 4] *
    s: f32[k, N, 4] *
      body:
        i: i64[]
        go: bool[]
        a0: f32[N, 4] *
        b0: f32[N, ?] *
        n0: i64[]
        d0: f32[?, 4] *
        x: f32[N, 4] *
        on: bool[]
        a1: f32[N, 4] *
        b1: f32[N, ?] *
        one: i64[]
        n1: i64[]
        d1: f32[N, 4] *
        s1: f32[N, 4] *
    ");
}

#[test]
fn states_and_parts_have_types() {
    insta::assert_snapshot!(described("scan"), @r"
    w: f32[3, 3]
    zero: f32[1, 3]
    x: f32[T, N, 3] *
    f: f32[N, T, 3] *
    last: f32[N, 3] *
    all: f32[N, 3, T] *
      body:
        h0: f32[?, 3] *
        part: f32[N, 3] *
        w: f32[3, 3]
        r: f32[?, 3] *
        sum: f32[?, 3] *
        h1: f32[?, 3] *
        out: f32[?, 3] *
    ");
}

#[test]
fn captures_pass_through_the_graphs_between() {
    insta::assert_snapshot!(described("nested"), @r"
    start: f32[1, 4]
    x: f32[N, 4] *
    c: bool[] *
    trips: i64[] *
    h: f32[N, 4] *
    yes: bool[]
    y: f32[N, 4] *
      body:
        i: i64[]
        go: bool[]
        v0: f32[?, 4] *
        c: bool[] *
        h: f32[N, 4] *
        on: bool[]
        v1: f32[?, 4] *
          then_branch:
            v0: f32[?, 4] *
            h: f32[N, 4] *
            a: f32[?, 4] *
          else_branch:
            v0: f32[?, 4] *
            b: f32[?, 4] *
    ");
}

#[test]
fn a_loop_that_changes_shapes_is_refused_by_name_or_cut() {
    for name in ["loop", "nested"] {
        let model = Model::open(format!("fixtures/subgraphs/{name}.onnx")).unwrap();
        let error = compile(&model, &Options::default()).unwrap_err().to_string();
        assert!(
            error.contains("(Loop, opset 17): a Loop that changes the shape"),
            "{name}: {error}"
        );
        let on_unsupported = OnUnsupported::Stop;
        let error = compile(&model, &Options { on_unsupported, ..Options::default() });
        let error = error.unwrap_err().to_string();
        assert!(error.contains("no relevance") && error.contains("Loop"), "{name}: {error}");
    }
}

/// What lies within a subgraph is named with the nodes around it.
#[test]
fn what_has_no_rule_in_a_subgraph_is_named_with_its_path() {
    let (model, _) = source("subgraphs/beside.onnx");
    let mut proto = (**model.proto()).clone();
    let nodes = &mut proto.graph.as_mut().unwrap().node;
    let mut attributes = nodes.iter_mut().flat_map(|node| &mut node.attribute);
    let branch = attributes.find_map(|attribute| attribute.g.as_mut()).unwrap();
    branch.node[0].op_type = Some("Elsewhere".into());
    let bytes = onnx::encode(&proto, &Addition::default()).concat();
    let model = Model::decode(bytes.into(), "changed.onnx").unwrap();
    let error = compile(&model, &Options::default()).unwrap_err().to_string();
    assert!(error.starts_with("node 'p/a' (Elsewhere, opset 17)"), "{error}");
}

/// What is said of a model whose first node with a subgraph has another one.
fn refusal(name: &str, change: impl FnOnce(&mut GraphProto)) -> String {
    let (model, _) = source(&format!("subgraphs/{name}.onnx"));
    let mut proto = (**model.proto()).clone();
    let nodes = &mut proto.graph.as_mut().unwrap().node;
    let mut attributes = nodes.iter_mut().flat_map(|node| &mut node.attribute);
    change(attributes.find_map(|attribute| attribute.g.as_mut()).unwrap());
    let bytes = onnx::encode(&proto, &Addition::default()).concat();
    let model = Model::decode(bytes.into(), "changed.onnx").unwrap();
    import(&model, &REGISTRY).unwrap_err().to_string()
}

#[test]
fn errors_name_the_path_of_the_node() {
    let error = refusal("loop", |body| body.node[1].input[0] = "nowhere".into());
    assert!(error.starts_with("node 'a/a1' (Relu, opset 17): its input 'nowhere'"), "{error}");
    let error = refusal("scan", |body| body.node[0].input.truncate(1));
    assert!(error.starts_with("node 'last/r' (MatMul, opset 17): operand 1"), "{error}");
    let error = refusal("loop", |body| drop(body.input.remove(0)));
    assert!(error.contains("attribute 'body' takes 5 inputs, not 6"), "{error}");
    let error = refusal("if", |branch| branch.node[0].output[0] = "other".into());
    assert!(error.contains("'a' is produced by no node"), "{error}");
    let error = refusal("if", |branch| {
        for _ in 0..20 {
            let inner = branch.clone();
            let attribute = |name: &str| AttributeProto {
                name: Some(name.into()),
                g: Some(inner.clone()),
                ..AttributeProto::default()
            };
            branch.node[0].attribute = vec![attribute("then_branch")];
            branch.node[0].op_type = Some("If".into());
        }
    });
    assert!(error.contains("more than 16 deep"), "{error}");
}

#[test]
fn sources_with_subgraphs_are_written_as_they_were() {
    for name in ["if", "beside", "loop", "scan", "nested"] {
        let path = format!("fixtures/subgraphs/{name}.onnx");
        let (model, graph) = source(&format!("subgraphs/{name}.onnx"));
        let addition = addition(&graph, &[]);
        let bytes = onnx::encode(model.proto(), &addition).concat();
        assert!(bytes == std::fs::read(path).unwrap(), "{name}");
    }
}
