//! Bodies: what a model-local function, a fused operator or a chosen branch computes, node by node.
//!
//! A body is computed again beside the call, so that relevance can cross it; results that the call
//! gives are read from the call, and a body that nothing needs is not written.

use std::{collections::BTreeMap, sync::Arc};

use super::{Error, import::Import};
use crate::onnx::attribute::int;
use crate::{
    ir::{self, Emitted, Facts, Graph, NodeIndex, Origin, Type, Value},
    onnx::schema::{AttributeProto, FunctionProto, GraphProto, NodeProto, TensorProto},
};

/// What a call computes, over names of its own.
pub struct Body {
    /// The names that the call's operands have in it.
    pub inputs: Vec<String>,
    /// The names of its results.
    pub outputs: Vec<String>,
    /// Its nodes, in order of execution.
    pub nodes: Vec<NodeProto>,
    /// Its constants.
    pub constants: Vec<TensorProto>,
    /// Whether it sees the names around the call, as a branch does.
    pub open: bool,
}

/// How deep bodies may call each other: no exporter comes near, and a circle has to end.
const DEPTH: usize = 16;

/// What names stand for in a body; nothing where an operand is left out.
#[derive(Clone, Default)]
pub(super) struct Scope {
    names: BTreeMap<String, Option<Value>>,
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

/// A name stands for nothing.
struct Undefined;

impl Import<'_> {
    /// Appends the body of a call, and returns its results. `None` where there is no body, or one
    /// with a node that is not known.
    pub(super) fn inline(
        &mut self,
        proto: &NodeProto,
        inputs: &[Option<Value>],
        label: &str,
        outer: &Scope,
        depth: usize,
    ) -> Result<Option<Vec<Option<Value>>>, Error> {
        let Some((body, operands)) = self.body(proto, inputs).filter(|_| depth < DEPTH) else {
            return Ok(None);
        };
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
            name => format!("{label}/{name}"),
        };
        if let Some(results) = self.inline(proto, &inputs, &scoped, scope, depth + 1)? {
            for (name, result) in proto.output.iter().zip(results) {
                scope.insert(name, result);
            }
            return Ok(true);
        }
        let known = self.graph.operators.find(proto.plain_domain(), proto.op_type()).is_some();
        let plain = proto.attribute.iter().all(|a| a.g.is_none() && a.graphs.is_empty());
        self.budget = self.budget.saturating_sub(1);
        if !known || !plain || self.budget == 0 {
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
        self.graph.infer(node).map_err(|source| refuse(&self.graph, node, source))?;
        for (name, value) in proto.output.iter().zip(self.graph.outputs(node)) {
            scope.insert(name, Some(value));
        }
        Ok(true)
    }

    /// What a node computes and of what, if it is a call.
    fn body(
        &self,
        proto: &NodeProto,
        inputs: &[Option<Value>],
    ) -> Option<(Body, Vec<Option<Value>>)> {
        if proto.op_type() == "SequenceAt" && proto.plain_domain().is_empty() {
            return self.piece(inputs);
        }
        Some((self.called(proto, inputs)?, inputs.to_vec()))
    }

    /// An element of what `SplitToSequence` makes of a tensor is a slice of the tensor.
    fn piece(&self, inputs: &[Option<Value>]) -> Option<(Body, Vec<Option<Value>>)> {
        let &[Some(sequence), Some(index)] = inputs else { return None };
        let known = |value: Value| -> Option<Vec<i64>> {
            self.graph.facts(value).ints()?.iter().map(|d| d.known()).collect()
        };
        let split = self.graph.node(sequence.node);
        if split.op_type() != "SplitToSequence" {
            return None;
        }
        let rank = split.rank(0).ok()?;
        let along = split.axis("axis", 0, rank).ok()?;
        let index = *known(index)?.first()?;
        let (mut from, mut size) = (index, 1);
        match split.input(1) {
            None => {}
            Some(sizes) if self.graph.ty(sizes).rank() == Some(0) => {
                size = *known(sizes)?.first()?;
                from = index.checked_mul(size)?;
            }
            Some(sizes) => {
                let sizes = known(sizes)?;
                let at = usize::try_from(index).ok()?;
                let before = sizes.get(..at)?.iter();
                from = before.copied().try_fold(0, i64::checked_add)?;
                size = *sizes.get(at)?;
            }
        }
        // What is counted from the end is left to be refused.
        let to = from.checked_add(size).filter(|_| index >= 0)?;
        let list = |name: &str, value: i64, dims: &[usize]| {
            let tensor = TensorProto::of_ints(dims, &[value]);
            TensorProto { name: Some(name.into()), ..tensor }
        };
        let squeezes = split.input(1).is_none() && split.int("keepdims", 1).ok()? == 0;
        let (op_type, constants, axis) = if squeezes {
            ("Gather", vec![list("index", index, &[])], Some(int("axis", along as i64)))
        } else {
            let bounds = [("from", from), ("to", to), ("axis", along as i64)];
            ("Slice", bounds.map(|(name, value)| list(name, value, &[1])).to_vec(), None)
        };
        let names = constants.iter().map(|tensor| tensor.name().to_string());
        let node = NodeProto {
            op_type: Some(op_type.into()),
            input: std::iter::once("x".to_string()).chain(names).collect(),
            output: vec!["y".into()],
            attribute: axis.into_iter().collect(),
            ..NodeProto::default()
        };
        let (inputs, outputs) = (vec!["x".into()], vec!["y".into()]);
        let body = Body { inputs, outputs, nodes: vec![node], constants, open: false };
        Some((body, vec![split.input(0)]))
    }

    /// The body of a function, a branch or a fused operator.
    fn called(&self, proto: &NodeProto, inputs: &[Option<Value>]) -> Option<Body> {
        let same = |f: &&FunctionProto| {
            f.name() == proto.op_type()
                && f.domain() == proto.domain()
                && f.overload() == proto.overload()
        };
        if let Some(function) = self.graph.source.functions.iter().find(same) {
            return function_body(function, proto, self.graph.opset);
        }
        if proto.op_type() == "If" && proto.plain_domain().is_empty() {
            let condition = self.graph.facts((*inputs.first()?)?).ints()?.first()?.known()?;
            let branch = if condition == 0 { "else_branch" } else { "then_branch" };
            let branch = proto.attribute.iter().find(|a| a.name() == branch)?.g.as_ref()?;
            return branch_body(branch);
        }
        let types: Vec<_> = inputs.iter().map(|v| v.map(|v| self.graph.ty(v))).collect();
        super::fused::body(proto, &types, self.graph.opset)
    }

    /// Lets the results of a body stand for those of its call, which was just appended.
    pub(super) fn adopt(&mut self, call: NodeIndex, results: &[Option<Value>]) {
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

    /// Gives the results of a body what the file says of the types of its call's.
    pub(super) fn declare(&mut self, value: Value, ty: &Type) {
        for value in [Some(value), self.graph.by_name(self.graph.name(value))].into_iter().flatten()
        {
            self.graph.dag[value.node].outputs[value.slot as usize].ty.clone_from(ty);
        }
    }
}

/// A node that contradicts its operator's definition.
pub(super) fn refuse(graph: &Graph, node: NodeIndex, source: ir::Error) -> Error {
    Error::Node {
        node: graph.label(node).into(),
        operator: graph.node(node).operator_name(),
        opset: graph.opset,
        source,
    }
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

fn branch_body(branch: &GraphProto) -> Option<Body> {
    (branch.sparse_initializer.is_empty()).then(|| Body {
        inputs: Vec::new(),
        outputs: branch.output.iter().map(|output| output.name().into()).collect(),
        nodes: branch.node.clone(),
        constants: branch.initializer.clone(),
        open: true,
    })
}
