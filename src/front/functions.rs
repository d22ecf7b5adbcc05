//! Bodies: what a call of a model-local function, an `If` with a known condition or a contrib operator
//! computes, node by node.
//!
//! A body is appended before its call, so that relevance can cross it. The outputs of the call have
//! the same values and are computed anyway: they are read in place of the body's, and what nothing
//! needs of the body is not written.

use std::{collections::BTreeMap, mem, sync::Arc};

use super::{
    Error, computed::Computed, contrib, embeddings::Fetch, import::Import, quantised::Quantised,
};
use crate::{
    ir::{self, Emitted, Emitter, Facts, Graph, NodeIndex, Origin, Type, Value},
    onnx::{
        schema::{AttributeProto, FunctionProto, GraphProto, NodeProto, TensorProto},
        shown::beginning,
    },
};

/// What a function or a branch computes, over names of its own.
struct Body {
    /// The names that the call's operands have in it.
    inputs: Vec<String>,
    /// The names of its results.
    outputs: Vec<String>,
    /// Its nodes, in order of execution.
    nodes: Vec<NodeProto>,
    /// Its constants.
    constants: Vec<TensorProto>,
    /// Whether it sees the names around the call, as a branch does.
    open: bool,
}

/// How deep bodies may call each other: no exporter comes near, and a circle has to end.
const DEPTH: usize = 16;

/// The values that names have in a body; `None` for an operand that is left out.
#[derive(Clone, Default)]
pub(super) struct Scope {
    names: BTreeMap<String, Option<Value>>,
    /// Whether names from around the call mean nothing, as in a function.
    closed: bool,
}

impl Scope {
    fn insert(&mut self, name: &str, value: Option<Value>) {
        self.names.insert(name.into(), value);
    }

    /// What a name stands for.
    fn get(&self, graph: &Graph, name: &str) -> Result<Option<Value>, Undefined> {
        if let Some(known) = self.names.get(name) {
            return Ok(*known);
        }
        let around = graph.by_name(name).filter(|_| !self.closed);
        if around.is_none() && !name.is_empty() { Err(Undefined) } else { Ok(around) }
    }
}

/// The error that a name has no value.
struct Undefined;

impl Import<'_> {
    /// Appends the body of a call, and returns its results. `None` where there is no body, or one
    /// with a node that is not known: [`Import::refusal`] then says why.
    pub(super) fn inline(
        &mut self,
        proto: &NodeProto,
        inputs: &[Option<Value>],
        label: &str,
        outer: &Scope,
        depth: usize,
    ) -> Result<Option<Vec<Option<Value>>>, Error> {
        if depth == DEPTH || self.budget == 0 {
            return Ok(None);
        }
        if let Some(body) = self.body(proto, inputs) {
            return self.expand(body, inputs, label, outer, depth);
        }
        match contrib::find(proto.plain_domain(), proto.op_type()) {
            Some(contrib) => {
                self.formula(proto, label, |emitter| contrib.expand(emitter, proto, inputs))
            }
            None => {
                if let Some(fetch) = Fetch::of(&self.graph, proto, inputs) {
                    return self.formula(proto, label, |emitter| fetch.written(emitter));
                }
                if let Some(call) = Quantised::of(&self.graph, proto, inputs) {
                    return self.formula(proto, label, |emitter| call.written(emitter));
                }
                match Computed::of(&self.graph, proto, inputs) {
                    Some(call) => self.formula(proto, label, |emitter| call.written(emitter)),
                    None => Ok(None),
                }
            }
        }
    }

    /// Appends the nodes of a function or a branch.
    fn expand(
        &mut self,
        body: Body,
        operands: &[Option<Value>],
        label: &str,
        outer: &Scope,
        depth: usize,
    ) -> Result<Option<Vec<Option<Value>>>, Error> {
        // A call costs what copying its body does, whether or not it turns out to be known.
        self.budget = self.budget.saturating_sub(1 + body.nodes.len());
        let mut scope =
            if body.open { outer.clone() } else { Scope { closed: true, ..Scope::default() } };
        for (i, name) in body.inputs.iter().enumerate() {
            scope.insert(name, operands.get(i).copied().flatten());
        }
        for tensor in body.constants {
            let facts = self.graph.constant_facts(&tensor);
            let name = tensor.name().to_string();
            let node =
                self.graph.append(Origin::NewConstant(Box::new(tensor)), &[], &[], vec![facts]);
            scope.insert(&name, Some(Value { node, slot: 0 }));
        }
        for inner in &body.nodes {
            if !self.inner(inner, label, &mut scope, depth)? {
                return Ok(None);
            }
        }
        let results = body.outputs.iter().map(|name| scope.get(&self.graph, name));
        Ok(results.collect::<Result<_, _>>().ok())
    }

    /// Appends the nodes that a call stands for, each with a name of its own.
    fn formula(
        &mut self,
        call: &NodeProto,
        label: &str,
        write: impl FnOnce(&Emitter) -> Result<Vec<Option<Value>>, ir::Error>,
    ) -> Result<Option<Vec<Option<Value>>>, Error> {
        let (nodes, results) = written(&mut self.graph, label, write);
        self.budget = self.budget.saturating_sub(nodes.len());
        for (i, &node) in nodes.iter().enumerate() {
            if let Origin::Body(emitted) = &mut self.graph.dag[node].origin {
                let several = nodes.len() > 1;
                let name = several.then(|| format!("{label}/{}_{i}", emitted.op_type));
                emitted.scope = Arc::from(name.as_deref().unwrap_or(label));
            }
        }
        match results {
            Ok(results) => Ok(Some(results)),
            Err(error) if error.is_invalid() && self.depth == 0 => Err(Error::Node {
                node: label.into(),
                operator: call.operator_name(),
                opset: self.graph.opset,
                source: error,
            }),
            Err(error) => {
                self.refusal = Some(error);
                Ok(None)
            }
        }
    }

    /// Appends a node of a body; says whether it is known.
    fn inner(
        &mut self,
        proto: &NodeProto,
        label: &str,
        scope: &mut Scope,
        depth: usize,
    ) -> Result<bool, Error> {
        let inputs = proto.input.iter().map(|name| scope.get(&self.graph, name));
        let Ok(inputs) = inputs.collect::<Result<Vec<_>, _>>() else { return Ok(false) };
        let scoped = match proto.name() {
            "" => label.to_string(),
            name => format!("{}/{}", beginning(label), beginning(name)),
        };
        if let Some(results) = self.inline(proto, &inputs, &scoped, scope, depth + 1)? {
            for (name, result) in proto.output.iter().zip(results) {
                scope.insert(name, result);
            }
            return Ok(true);
        }
        let known = self.graph.operators.find(proto.plain_domain(), proto.op_type()).is_some();
        let plain = proto.attribute.iter().all(|a| a.g.is_none() && a.graphs.is_empty());
        if !known || !plain || proto.output.is_empty() {
            let what = format!("{} in its body", proto.op_type());
            self.refusal.get_or_insert(ir::Error::Unsupported { what });
            return Ok(false);
        }
        let emitted = Emitted {
            op_type: proto.op_type().to_string().into(),
            attributes: proto.attribute.clone(),
            scope: Arc::from(scoped),
            is_quotient: false,
            label: None,
        };
        let facts = vec![Facts::named(""); proto.output.len()];
        let node = self.graph.append(Origin::Body(Box::new(emitted)), &inputs, &[], facts);
        let inferred = self.graph.infer(node);
        self.settled(node, inferred)?;
        for (name, value) in proto.output.iter().zip(self.graph.outputs(node)) {
            scope.insert(name, Some(value));
        }
        Ok(true)
    }

    /// The body of a call of a function, or of an `If` whose condition is known.
    fn body(&self, proto: &NodeProto, inputs: &[Option<Value>]) -> Option<Body> {
        let same = |f: &&FunctionProto| {
            f.name() == proto.op_type()
                && f.domain() == proto.domain()
                && f.overload() == proto.overload()
        };
        if let Some(function) = self.graph.source.functions.iter().find(same) {
            return function_body(function, proto, self.graph.opset);
        }
        let branch = branch(&self.graph, proto, inputs)?;
        branch_body(proto.attribute.iter().find(|a| a.name() == branch)?.g.as_ref()?)
    }

    /// Appends copies of the nodes of a branch that is known to be taken, and returns its results.
    pub(super) fn copied(
        &mut self,
        label: &str,
        branch: &Graph,
        captured: &[(&str, Value)],
    ) -> Option<Vec<Option<Value>>> {
        let (nodes, results) = written(&mut self.graph, label, |emitter| {
            let captured: Vec<_> =
                captured.iter().map(|&(_, value)| emitter.value(value)).collect();
            emitter.within(branch, &[], &captured, || {
                let results: Vec<_> = branch.graph_outputs().map(|v| emitter.value(v)).collect();
                emitter.check()?;
                Ok(results.into_iter().map(|result| Some(result.value())).collect())
            })
        });
        self.budget = self.budget.saturating_sub(nodes.len());
        results.map_err(|error| self.refusal = Some(error)).ok()
    }

    /// From now on the names of a call's outputs lead to the results of its body, so that relevance
    /// crosses the body. What is known of these is known of the outputs, too.
    pub(super) fn adopt(&mut self, call: NodeIndex, results: &[Option<Value>]) {
        self.graph.dag[call].expanded = true;
        for (value, &result) in self.graph.outputs(call).zip(results) {
            let Some(result) = result else {
                self.graph.dag[call].outputs[value.slot as usize].active = true;
                continue;
            };
            let name = self.graph.name(value).to_string();
            let facts = Facts { name: name.clone(), ..self.graph.facts(result).clone() };
            self.graph.dag[call].outputs[value.slot as usize] = facts;
            if matches!(self.graph.dag[result.node].origin, Origin::Body(_)) {
                self.graph.canonical.entry(result).or_insert(value);
                let body = &mut self.graph.dag[result.node].outputs[result.slot as usize];
                if body.name.is_empty() {
                    body.name.clone_from(&name);
                }
            }
            self.graph.names.insert(name, result);
        }
    }

    /// Sets the type of an output of a node, and of the result of its body.
    pub(super) fn declare(&mut self, value: Value, ty: &Type) {
        for value in [Some(value), self.graph.by_name(self.graph.name(value))].into_iter().flatten()
        {
            self.graph.dag[value.node].outputs[value.slot as usize].ty.clone_from(ty);
        }
    }
}

/// Appends to a graph what is written, as nodes of a body, and says which these are.
pub(super) fn written<T>(
    graph: &mut Graph,
    label: &str,
    write: impl FnOnce(&Emitter) -> T,
) -> (Vec<NodeIndex>, T) {
    let nothing = graph.beside(None);
    let first = graph.nodes().len();
    let emitter = Emitter::onto(mem::replace(graph, nothing));
    emitter.enter(label);
    let results = write(&emitter);
    *graph = emitter.finish();
    let mut nodes = Vec::new();
    for node in (first..graph.nodes().len()).map(NodeIndex::new) {
        let origin = &mut graph.dag[node].origin;
        match mem::replace(origin, Origin::Input) {
            Origin::New(emitted) => {
                *origin = Origin::Body(emitted);
                nodes.push(node);
            }
            constant => *origin = constant,
        }
    }
    (nodes, results)
}

/// A function with the attributes of its call. One that is written for another operator set says
/// something else by the same words.
fn function_body(function: &FunctionProto, call: &NodeProto, opset: i64) -> Option<Body> {
    let standard = |domain: &str| matches!(domain, "" | "ai.onnx");
    let version = function.opset_import.iter().find(|import| standard(import.domain()));
    if version.is_some_and(|version| version.version() != opset) {
        return None;
    }
    let given = |name: &str| {
        let of_call = call.attribute.iter().find(|a| a.name() == name);
        of_call.or_else(|| function.attribute_proto.iter().find(|a| a.name() == name))
    };
    let bind = |attribute: &AttributeProto| match attribute.ref_attr_name() {
        "" => Some(attribute.clone()),
        name => Some(AttributeProto { name: attribute.name.clone(), ..given(name)?.clone() }),
    };
    let nodes = function.node.iter().map(|node| NodeProto {
        attribute: node.attribute.iter().filter_map(bind).collect(),
        ..node.clone()
    });
    Some(Body {
        inputs: function.input.clone(),
        outputs: function.output.clone(),
        nodes: nodes.collect(),
        constants: Vec::new(),
        open: false,
    })
}

/// The attribute with the branch that an `If` takes, if its condition is known.
pub(super) fn branch(
    graph: &Graph,
    proto: &NodeProto,
    inputs: &[Option<Value>],
) -> Option<&'static str> {
    if proto.op_type() != "If" || !proto.plain_domain().is_empty() {
        return None;
    }
    let condition = graph.facts((*inputs.first()?)?).ints()?.first()?.known()?;
    Some(if condition == 0 { "else_branch" } else { "then_branch" })
}

fn branch_body(branch: &GraphProto) -> Option<Body> {
    (branch.sparse_initializer.is_empty()).then(|| Body {
        inputs: Vec::new(),
        outputs: branch.output.iter().map(|output| output.name().into()).collect(),
        nodes: branch.node.clone(),
        constants: branch.initializer.clone(),
        open: true,
    })
}
