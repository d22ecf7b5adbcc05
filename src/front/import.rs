//! From a message to a graph: names become edges, and a model that contradicts itself is refused.
//!
//! A node's subgraphs are read before the node's outputs are inferred, which follow from them. What
//! the node calls them with is known from its own inputs ([`Operator::feeds`](ir::Operator::feeds)).

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, BinaryHeap},
    mem,
    sync::Arc,
};

use super::{
    Error,
    functions::{Scope, branch},
    masks,
};
use crate::{
    ir::{
        self, Array, Child, Dim, Facts, Feeds, Graph, NodeIndex, Origin, Registry, Step, Type,
        Value,
    },
    onnx::{
        DataType, Model,
        schema::{
            GraphProto, NodeProto, TypeProto,
            tensor_shape_proto::{Dimension, dimension},
            type_proto,
        },
        shown::Shown,
    },
};

/// The graph of a model, with everything inferred that can be.
pub fn import(model: &Model, operators: &'static Registry) -> Result<Graph, Error> {
    import_set(model, operators, &BTreeMap::new())
}

/// The graph of a model in which some inputs are taken for constants.
pub fn import_set(
    model: &Model,
    operators: &'static Registry,
    set: &BTreeMap<&str, Array>,
) -> Result<Graph, Error> {
    let mut symbols = BTreeMap::new();
    name_sizes(model.graph(), &mut symbols);
    let mut sizes = vec![String::new(); symbols.len()];
    for (name, &symbol) in &symbols {
        sizes[symbol as usize] = (*name).to_string();
    }
    let (source, external) = (model.proto().clone(), model.external().clone());
    let graph = Graph::new(operators, source, external, model.opset(), sizes.into());
    let mut import = Import {
        graph,
        symbols,
        declared: BTreeMap::new(),
        scope: String::new(),
        depth: 0,
        budget: BODIES,
        refusal: None,
        warnings: Vec::new(),
        set,
    };
    import.run(model.graph(), &Around::default())?;
    let mut graph = Graph { warnings: import.warnings, ..import.graph };
    masks::note(&mut graph);
    Ok(graph)
}

pub(super) struct Import<'m> {
    /// The graph, or the subgraph that is being read.
    pub(super) graph: Graph,
    /// Named sizes.
    symbols: BTreeMap<&'m str, u32>,
    /// What the file says of the types of the graph's values.
    declared: BTreeMap<&'m str, Type>,
    /// The path of the nodes that the subgraph belongs to, for messages.
    scope: String,
    /// How deep the subgraph lies.
    pub(super) depth: usize,
    /// How many nodes of bodies may still be appended.
    pub(super) budget: usize,
    /// Why the call in hand has no body.
    pub(super) refusal: Option<ir::Error>,
    /// What the file declares of types and does not hold.
    warnings: Vec<String>,
    /// Inputs that are taken for constants.
    set: &'m BTreeMap<&'m str, Array>,
}

/// How many nodes bodies may come to: functions that call functions multiply, and so do subgraphs that
/// are read again.
const BODIES: usize = 100_000;

/// How deep subgraphs may lie: no exporter comes near.
const DEPTH: usize = 16;

/// How often a subgraph is read again for what is true of its inputs whenever it runs.
const ROUNDS: usize = 4;

/// What is known around a subgraph; nothing around the graph of a model.
#[derive(Default)]
struct Around<'m> {
    inputs: Vec<Facts>,
    captured: Vec<(&'m str, usize, Facts)>,
}

/// A branch that is known to be taken, and which of its node's attributes it is.
struct Chosen {
    at_node: usize,
    graph: Graph,
}

impl<'m> Import<'m> {
    fn run(&mut self, source: &'m GraphProto, around: &Around<'m>) -> Result<(), Error> {
        for info in source.input.iter().chain(&source.value_info).chain(&source.output) {
            if let Some(ty) = info.r#type.as_ref().and_then(|t| self.declared_type(t)) {
                self.declared.entry(info.name()).or_insert(ty);
            }
        }
        for (input, facts) in source.input.iter().zip(&around.inputs) {
            self.input(input.name(), facts)?;
        }
        for (name, place, facts) in &around.captured {
            let node = self.add(Origin::Captured(*place), &[], &[], [*name].into_iter())?;
            self.graph.dag[node].outputs[0] = Facts { name: (*name).into(), ..facts.clone() };
        }
        // IR version 3 demands that initializers are listed as inputs. Since then, those that are have
        // in their initializers no more than defaults.
        let overridable = self.depth == 0 && self.graph.ir_version() >= 4;
        let defaults = source.input.iter().filter(|_| overridable).map(|input| input.name());
        let defaults = defaults.collect();
        for (i, tensor) in source.initializer.iter().enumerate() {
            let known = self.graph.constant_facts(tensor);
            self.initializer(Some(i), tensor.name(), known, &defaults)?;
        }
        for sparse in &source.sparse_initializer {
            let Some(values) = &sparse.values else { continue };
            let listed = self.graph.constant_facts(values);
            let dims = sparse.dims.iter().map(|&n| Dim::Known(n)).collect();
            let ty = Type::new(listed.ty.elem, dims);
            self.initializer(
                None,
                values.name(),
                Facts { ty, contents: None, ..listed },
                &defaults,
            )?;
        }
        for input in &source.input {
            if !self.graph.names.contains_key(input.name()) {
                let known = match self.set.get(input.name()).filter(|_| self.depth == 0) {
                    Some(contents) => {
                        let dims = contents.shape().iter().map(|&n| Dim::Known(n as i64)).collect();
                        let ty = Type::new(DataType::Undefined, dims);
                        Facts { ty, contents: Some(contents.clone()), ..Facts::named("") }
                    }
                    None => Facts { active: true, ..Facts::named("") },
                };
                self.input(input.name(), &known)?;
            }
        }
        for i in self.order(&source.node)? {
            self.node(i, &source.node[i])?;
        }
        for output in &source.output {
            let value = self.graph.by_name(output.name()).ok_or_else(|| Error::Value {
                name: format!("{}{}", self.scope, output.name()),
                what: "is a graph output that no node produces".into(),
            })?;
            self.graph.outputs.push(value);
        }
        Ok(())
    }

    /// The order of execution: Kahn's algorithm over a heap of indices, which leaves a sorted list
    /// as it is.
    fn order(&self, nodes: &'m [NodeProto]) -> Result<Vec<usize>, Error> {
        let mut producer = BTreeMap::new();
        for (i, node) in nodes.iter().enumerate() {
            for name in node.output.iter().filter(|name| !name.is_empty()) {
                let known = self.graph.names.contains_key(name.as_str());
                if known || producer.insert(name.as_str(), i).is_some() {
                    return Err(self.given_twice(name));
                }
            }
        }
        let mut waiting = vec![0usize; nodes.len()];
        let mut readers = vec![Vec::new(); nodes.len()];
        for (i, node) in nodes.iter().enumerate() {
            for name in node.input.iter().map(String::as_str).chain(captures(node)) {
                if let Some(&before) = producer.get(name) {
                    readers[before].push(i);
                    waiting[i] += 1;
                } else if !name.is_empty() && !self.graph.names.contains_key(name) {
                    return Err(self.dangling(node, name, "by no node, input or initializer"));
                }
            }
        }
        let mut ready: BinaryHeap<_> =
            (0..nodes.len()).filter(|&i| waiting[i] == 0).map(Reverse).collect();
        let mut order = Vec::with_capacity(nodes.len());
        while let Some(Reverse(i)) = ready.pop() {
            order.push(i);
            for &reader in &readers[i] {
                waiting[reader] -= 1;
                if waiting[reader] == 0 {
                    ready.push(Reverse(reader));
                }
            }
        }
        match (0..nodes.len()).find(|&i| waiting[i] > 0) {
            None => Ok(order),
            Some(i) => {
                let waits = |name: &&String| {
                    producer.get(name.as_str()).is_some_and(|&before| waiting[before] > 0)
                };
                let name = nodes[i].input.iter().find(waits).map_or("", String::as_str);
                Err(self.dangling(&nodes[i], name, "in a cycle that leads back to the node"))
            }
        }
    }

    fn dangling(&self, node: &NodeProto, input: &str, how: &'static str) -> Error {
        let (path, node) = reader(node, input);
        Error::Dangling {
            node: format!("{}{path}", self.scope),
            operator: node.op_type().into(),
            opset: self.graph.opset,
            input: input.into(),
            how,
        }
    }

    fn given_twice(&self, name: &str) -> Error {
        Error::Value { name: format!("{}{name}", self.scope), what: "is given twice".into() }
    }

    /// A node that contradicts its operator's definition.
    pub(super) fn refuse(&self, node: NodeIndex, source: ir::Error) -> Error {
        Error::Node {
            node: format!("{}{}", self.scope, self.graph.label(node)),
            operator: self.graph.node(node).operator_name(),
            opset: self.graph.opset,
            source,
        }
    }

    /// What was found out of a node, or as good as nothing where shapes contradict each other in a
    /// subgraph: it may never run. Exporters leave branches for other shapes in a file.
    pub(super) fn settled<T: Default>(
        &self,
        node: NodeIndex,
        found: Result<T, ir::Error>,
    ) -> Result<T, Error> {
        match found {
            Err(ir::Error::Shapes { .. }) if self.depth > 0 => Ok(T::default()),
            found => found.map_err(|error| self.refuse(node, error)),
        }
    }

    fn initializer(
        &mut self,
        index: Option<usize>,
        name: &str,
        known: Facts,
        defaults: &BTreeSet<&str>,
    ) -> Result<(), Error> {
        let given = self.graph.by_name(name).map(|value| self.graph.origin(value.node));
        if matches!(given, Some(Origin::Input)) {
            return Ok(()); // A default for an input of a subgraph, which is always given.
        }
        let default = defaults.contains(name);
        let index = index.filter(|_| !default);
        let node = self.add(Origin::Initializer(index), &[], &[], [name].into_iter())?;
        let known = if default {
            // Whoever runs the model may give another value, of which only the declaration says something.
            let ty = Type { shape: None, ..known.ty };
            let ty = self.declared.get(name).cloned().unwrap_or(ty);
            let ty = self.graph.settle(ty);
            Facts { ty, contents: None, non_negative: false, ..known }
        } else {
            known
        };
        self.graph.dag[node].outputs[0] = Facts { name: name.into(), ..known };
        Ok(())
    }

    fn input(&mut self, name: &'m str, known: &Facts) -> Result<(), Error> {
        let node = self.add(Origin::Input, &[], &[], [name].into_iter())?;
        let ty = self.graph.settle(known.ty.clone());
        let declared = self.declared.get(name).and_then(|ty_| merge(&self.graph, &ty, ty_).ok());
        let ty = self.graph.settle(declared.unwrap_or(ty));
        self.graph.dag[node].outputs[0] = Facts { name: name.into(), ty, ..known.clone() };
        Ok(())
    }

    fn node(&mut self, index: usize, proto: &'m NodeProto) -> Result<(), Error> {
        let named = |name: &str| self.graph.by_name(name);
        let inputs: Vec<_> = proto.input.iter().map(|name| named(name)).collect();
        let captured: Vec<_> =
            captures(proto).into_iter().filter_map(|name| Some((name, named(name)?))).collect();
        // Sizes that get their symbols from here on follow from no operand's by name.
        let first_new = self.graph.symbols;
        let mut chosen = self.chosen(index, proto, &inputs, &captured)?;
        let body = match &mut chosen {
            Some(branch) => self.copied(label(proto), &branch.graph, &captured),
            None => self.inline(proto, &inputs, label(proto), &Scope::default(), 0)?,
        };
        let outputs = proto.output.iter().map(String::as_str);
        let values: Vec<_> = captured.iter().map(|&(_, value)| value).collect();
        let node = self.add(Origin::Source(index), &inputs, &values, outputs)?;
        if proto.output.is_empty() {
            let what = "a node without outputs".into();
            return Err(self.refuse(node, ir::Error::Shapes { what }));
        }
        self.graph.dag[node].refusal = self.refusal.take().map(Box::new);
        self.children(node, index, proto, &captured, chosen)?;
        match body {
            Some(results) => {
                let agreed = self.agree(node, &results);
                self.settled(node, agreed)?;
                self.adopt(node, &results);
            }
            None => {
                let inferred = self.graph.infer(node);
                self.settled(node, inferred)?;
            }
        }
        for value in self.graph.outputs(node) {
            let facts = self.graph.facts(value);
            let Some(declared) = self.declared.get(facts.name.as_str()) else { continue };
            let declared = self.credible(node, &facts.ty, declared, first_new);
            let merged = match merge(&self.graph, &facts.ty, &declared) {
                Ok(merged) => merged,
                Err(Contradiction::Elements(what)) => {
                    let what = format!("the file declares '{}' otherwise: {what}", facts.name);
                    self.settled(node, Err(ir::Error::Shapes { what }))?
                }
                // Runtimes go by the nodes, and leave declarations that say otherwise aside.
                Err(Contradiction::Shapes(what)) => {
                    let name = Shown(&facts.name);
                    let what = format!("the file declares '{name}' otherwise than it is: {what}");
                    let ty = facts.ty.clone();
                    self.warnings.push(what);
                    ty
                }
            };
            let merged = self.graph.settle(merged);
            self.declare(value, &merged);
        }
        Ok(())
    }

    /// Whether a body gives what the operator that it stands for is known to give, as runtimes go by the operator.
    fn agree(&self, call: NodeIndex, results: &[Option<Value>]) -> Result<(), ir::Error> {
        let call = self.graph.node(call);
        let Some(types) = call.operator().and_then(|operator| operator.infer(call).ok()) else {
            return Ok(());
        };
        for (ty, result) in types.iter().zip(results) {
            let Some(result) = result else { continue };
            merge(&self.graph, ty, self.graph.ty(*result)).map_err(|contradiction| {
                let (Contradiction::Elements(what) | Contradiction::Shapes(what)) = contradiction;
                ir::Error::Shapes { what: format!("its operands do not fit each other: {what}") }
            })?;
        }
        Ok(())
    }

    /// What a declaration says of a result that can be believed. A size that is open in an operand may
    /// decide others, which the file may still give as they once were, when that size was fixed: a size is
    /// taken from the file only where the result has as many open sizes as the operands have.
    fn credible(&self, node: NodeIndex, inferred: &Type, declared: &Type, first_new: u32) -> Type {
        let mut open = BTreeSet::new();
        let mut unnamed = 0;
        for value in self.graph.reads(node) {
            let facts = self.graph.facts(value);
            let sizes = facts.ty.shape.iter().flatten().chain(facts.ints().into_iter().flatten());
            for size in sizes {
                match size {
                    Dim::Symbol(symbol) => drop(open.insert(*symbol)),
                    Dim::Unknown => unnamed += 1,
                    Dim::Known(_) => {}
                }
            }
            // A list of sizes that are not even counted.
            let list = facts.ty.elem == DataType::Int64 && facts.ty.rank().is_none_or(|n| n <= 1);
            unnamed += usize::from(list && facts.contents.is_none());
        }
        let kept = |dim: Option<Dim>| match dim {
            Some(Dim::Symbol(symbol)) => symbol < first_new,
            _ => false,
        };
        let Some(dims) = &declared.shape else { return declared.clone() };
        let is_open =
            |(axis, dim): &(usize, &Dim)| dim.known().is_none() || kept(inferred.dim(*axis));
        let still_open = dims.iter().enumerate().filter(is_open).count();
        let all = still_open >= open.len() + unnamed;
        let believed = dims.iter().enumerate().map(|(axis, &dim)| {
            let at_hand = inferred.dim(axis);
            let settled = at_hand.and_then(Dim::known).is_some();
            let credible = settled || dim.known().is_none() || all && !kept(at_hand);
            if credible { dim } else { Dim::Unknown }
        });
        Type::new(declared.elem, believed.collect())
    }

    /// The branch that an `If` takes, if its condition is known. It is read before its node is appended, which it
    /// can as it has no inputs.
    fn chosen(
        &mut self,
        index: usize,
        proto: &'m NodeProto,
        inputs: &[Option<Value>],
        captured: &[(&'m str, Value)],
    ) -> Result<Option<Chosen>, Error> {
        let Some(name) = branch(&self.graph, proto, inputs) else { return Ok(None) };
        let mut attributes = proto.attribute.iter().enumerate();
        let Some((at_node, source)) =
            attributes.find_map(|(at, a)| (a.name() == name).then_some((at, a.g.as_ref()?)))
        else {
            return Ok(None);
        };
        if self.depth == DEPTH || self.budget == 0 || !source.input.is_empty() {
            return Ok(None);
        }
        let around = Around { inputs: Vec::new(), captured: self.handed_in(source, captured) };
        let graph = self.read(label(proto), (index, at_node, 0), source, &around)?;
        Ok(Some(Chosen { at_node, graph }))
    }

    /// What a subgraph captures, of all that its node does, with the places there.
    fn handed_in<'s>(
        &self,
        source: &'s GraphProto,
        captured: &[(&str, Value)],
    ) -> Vec<(&'s str, usize, Facts)> {
        let places = captured.iter().enumerate().map(|(place, &(name, v))| (name, (place, v)));
        let places: BTreeMap<_, _> = places.collect();
        let captured = free(source).into_iter().filter_map(|name| {
            let &(place, value) = places.get(name)?;
            Some((name, place, self.graph.facts(value).clone()))
        });
        captured.collect()
    }

    /// Reads the subgraphs of a node that was just appended, but for one that was read before, and knows nothing
    /// of its outputs yet.
    fn children(
        &mut self,
        node: NodeIndex,
        index: usize,
        proto: &'m NodeProto,
        captured: &[(&'m str, Value)],
        mut chosen: Option<Chosen>,
    ) -> Result<(), Error> {
        for (at_node, attribute) in proto.attribute.iter().enumerate() {
            for (at, source) in attribute.g.iter().chain(&attribute.graphs).enumerate() {
                let (graph, first) = match chosen.take_if(|chosen| chosen.at_node == at_node) {
                    Some(chosen) => (chosen.graph, None),
                    None => {
                        let captured = self.handed_in(source, captured);
                        self.child(node, (index, at_node, at), source, captured)?
                    }
                };
                let (graph, first) = (graph.into(), first.map(Arc::new));
                let child = Child { attribute: attribute.name().into(), graph, first };
                self.graph.dag[node].children.push(child);
            }
        }
        Ok(())
    }

    /// A subgraph, with what is true whenever it runs, and with what is true of the first run if that is more.
    /// What comes back as an input may differ from what the first run was given: it is read again on what is
    /// true of both, until that holds.
    fn child(
        &mut self,
        node: NodeIndex,
        step: Step,
        source: &'m GraphProto,
        captured: Vec<(&'m str, usize, Facts)>,
    ) -> Result<(Graph, Option<Graph>), Error> {
        if self.depth == DEPTH {
            return Err(Error::Depth {
                node: format!("{}{}", self.scope, self.graph.label(node)),
                limit: DEPTH,
            });
        }
        let view = self.graph.node(node);
        let feeds = view.operator().map_or_else(|| Ok(Feeds::default()), |op| op.feeds(view));
        let Feeds { mut inputs, carried } = self.settled(node, feeds)?;
        let active = self.graph.reads(node).any(|v| self.graph.is_active(v));
        inputs.resize(source.input.len(), Facts::unknown(active));
        let mut around = Around { inputs, captured };
        let (mut rounds, mut first) = (0, None);
        loop {
            // When it takes too long to find out, nothing is known of what is carried.
            let widened = rounds == ROUNDS || self.budget == 0;
            for &(_, input) in carried.iter().filter(|_| widened) {
                if let Some(known) = around.inputs.get_mut(input) {
                    let ty = Type { elem: known.ty.elem, shape: None };
                    *known = Facts { ty, ..Facts::unknown(active) };
                }
            }
            let label = self.graph.label(node).to_string();
            let child = self.read(&label, step, source, &around)?;
            let mut inputs = around.inputs.clone();
            for &(output, input) in &carried {
                if let Some(known) = inputs.get_mut(input)
                    && let Some(&result) = child.outputs.get(output)
                {
                    *known = known.join(child.facts(result));
                }
            }
            if widened || inputs == around.inputs {
                return Ok((child, first));
            }
            first.get_or_insert(child);
            (around.inputs, rounds) = (inputs, rounds + 1);
        }
    }

    /// Reads a subgraph of the node with that label.
    fn read(
        &mut self,
        label: &str,
        step: Step,
        source: &'m GraphProto,
        around: &Around<'m>,
    ) -> Result<Graph, Error> {
        let path = self.graph.path.iter().flatten().copied().chain([step]).collect();
        let scope = format!("{}{label}/", self.scope);
        let child = self.graph.beside(Some(path));
        let outer = (
            mem::replace(&mut self.graph, child),
            mem::take(&mut self.declared),
            mem::replace(&mut self.scope, scope),
        );
        self.depth += 1;
        let done = self.run(source, around);
        self.depth -= 1;
        let child = mem::replace(&mut self.graph, outer.0);
        (self.declared, self.scope) = (outer.1, outer.2);
        self.graph.symbols = child.symbols;
        self.budget = self.budget.saturating_sub(child.nodes().len());
        done.map(|()| child)
    }

    fn add<'n>(
        &mut self,
        origin: Origin,
        inputs: &[Option<Value>],
        captured: &[Value],
        outputs: impl Iterator<Item = &'n str>,
    ) -> Result<NodeIndex, Error> {
        let outputs: Vec<_> = outputs.map(Facts::named).collect();
        let names: Vec<_> = outputs.iter().map(|facts| facts.name.clone()).collect();
        let node = self.graph.append(origin, inputs, captured, outputs);
        for (slot, name) in names.into_iter().enumerate().filter(|(_, name)| !name.is_empty()) {
            let value = Value { node, slot: slot as u32 };
            if self.graph.names.insert(name.clone(), value).is_some() {
                return Err(self.given_twice(&name));
            }
        }
        Ok(node)
    }

    /// A declared type, with its named sizes as symbols.
    fn declared_type(&self, ty: &TypeProto) -> Option<Type> {
        let Some(type_proto::Value::TensorType(tensor)) = &ty.value else { return None };
        let elem = DataType::try_from(tensor.elem_type()).unwrap_or_default();
        let Some(shape) = &tensor.shape else { return Some(Type { elem, shape: None }) };
        let dim = |d: &Dimension| match &d.value {
            Some(dimension::Value::DimValue(n)) if *n >= 0 => Dim::Known(*n),
            Some(dimension::Value::DimParam(name)) => {
                self.symbols.get(name.as_str()).map_or(Dim::Unknown, |&s| Dim::Symbol(s))
            }
            _ => Dim::Unknown,
        };
        Some(Type::new(elem, shape.dim.iter().map(dim).collect()))
    }
}

/// How the file can contradict what is inferred.
#[derive(Debug, PartialEq, Eq)]
enum Contradiction {
    /// In the type of elements, which no runtime accepts.
    Elements(String),
    /// In the shape.
    Shapes(String),
}

/// What inference and the file say together. What is inferred is never given up for a declaration,
/// save a size that inference had to leave open.
fn merge(graph: &Graph, inferred: &Type, declared: &Type) -> Result<Type, Contradiction> {
    let elem = match (inferred.elem, declared.elem) {
        (DataType::Undefined, elem) | (elem, DataType::Undefined) => elem,
        (a, b) if a == b => a,
        (a, b) => {
            let what = format!("{} is no {}", b.as_str_name(), a.as_str_name());
            return Err(Contradiction::Elements(what));
        }
    };
    let shape = match (&inferred.shape, &declared.shape) {
        (None, shape) | (shape, None) => shape.clone(),
        (Some(a), Some(b)) if a.len() != b.len() => {
            let what = format!("rank {} is not {}", b.len(), a.len());
            return Err(Contradiction::Shapes(what));
        }
        (Some(a), Some(b)) => {
            let dims = a.iter().zip(b).map(|(&a, &b)| match (a, b) {
                (Dim::Known(a), Dim::Known(b)) if a != b => {
                    Err(Contradiction::Shapes(format!("size {b} is not {a}")))
                }
                (Dim::Symbol(s), b) if graph.symbol(s).is_none() && b != Dim::Unknown => Ok(b),
                _ => Ok(a),
            });
            Some(dims.collect::<Result<_, _>>()?)
        }
    };
    Ok(Type { elem, shape })
}

/// Gives the sizes that a graph and its subgraphs name symbols.
fn name_sizes<'m>(graph: &'m GraphProto, symbols: &mut BTreeMap<&'m str, u32>) {
    for info in graph.input.iter().chain(&graph.value_info).chain(&graph.output) {
        let ty = info.r#type.as_ref().and_then(|ty| ty.value.as_ref());
        let Some(type_proto::Value::TensorType(tensor)) = ty else { continue };
        for dim in tensor.shape.iter().flat_map(|shape| &shape.dim) {
            if let Some(dimension::Value::DimParam(name)) = &dim.value
                && !name.is_empty()
            {
                let next = symbols.len() as u32;
                symbols.entry(name).or_insert(next);
            }
        }
    }
    graph.node.iter().flat_map(subgraphs).for_each(|inner| name_sizes(inner, symbols));
}

/// How messages call a node.
fn label(node: &NodeProto) -> &str {
    let name = Some(node.name()).filter(|name| !name.is_empty());
    name.or(node.output.first().map(String::as_str)).unwrap_or_default()
}

/// The node that reads a name, and its path: a node itself, or one in its subgraphs.
fn reader<'n>(node: &'n NodeProto, name: &str) -> (String, &'n NodeProto) {
    let reads = |node: &NodeProto| node.input.iter().any(|input| input == name);
    let inner = subgraphs(node).flat_map(|graph| &graph.node);
    match inner.filter(|_| !reads(node)).find(|n| reads(n) || captures(n).contains(&name)) {
        None => (label(node).into(), node),
        Some(inner) => {
            let (path, inner) = reader(inner, name);
            (format!("{}/{path}", label(node)), inner)
        }
    }
}

/// The subgraphs of a node.
fn subgraphs(node: &NodeProto) -> impl Iterator<Item = &GraphProto> {
    node.attribute.iter().flat_map(|attribute| attribute.g.iter().chain(&attribute.graphs))
}

/// The names that the subgraphs of a node read from outside, each once.
fn captures(node: &NodeProto) -> Vec<&str> {
    let mut seen = BTreeSet::new();
    subgraphs(node).flat_map(free).filter(|name| seen.insert(*name)).collect()
}

/// The names that a graph reads from outside, each once, in the order in which it reads them.
fn free(graph: &GraphProto) -> Vec<&str> {
    let mut seen: BTreeSet<&str> = graph.input.iter().map(|input| input.name()).collect();
    seen.extend(graph.initializer.iter().map(|tensor| tensor.name()));
    seen.extend(graph.sparse_initializer.iter().flat_map(|s| &s.values).map(|t| t.name()));
    seen.extend(graph.node.iter().flat_map(|node| &node.output).map(String::as_str));
    let reads =
        graph.node.iter().flat_map(|n| n.input.iter().map(String::as_str).chain(captures(n)));
    let results = graph.output.iter().map(|output| output.name());
    reads.chain(results).filter(|name| !name.is_empty() && seen.insert(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use Dim::{Known, Symbol, Unknown};

    const NAMED: Dim = Symbol(0);
    const OTHER: Dim = Symbol(1);
    const NAMELESS: Dim = Symbol(2);

    /// What inference and the file say together of a shape.
    fn merged(inferred: &[Dim], declared: &[Dim]) -> Result<Vec<Dim>, Contradiction> {
        let ty = |dims: &[Dim]| Type::new(DataType::Float, dims.to_vec());
        Ok(merge(&graph(), &ty(inferred), &ty(declared))?.shape.unwrap_or_default())
    }

    /// A graph that knows of two sizes with a name and of one without.
    fn graph() -> Graph {
        let model = Model::open("fixtures/forms/relu.op17.onnx").unwrap();
        let graph = import(&model, &crate::ops::REGISTRY).unwrap();
        Graph { sizes: ["N".into(), "M".into()].into(), symbols: 3, ..graph }
    }

    #[test]
    fn a_declaration_adds_to_what_is_inferred() {
        for (inferred, declared, expected) in [
            (Known(3), Known(3), Known(3)),
            (Known(3), NAMED, Known(3)),
            (Known(3), Unknown, Known(3)),
            // A size that inference had to leave open.
            (NAMELESS, Known(3), Known(3)),
            (NAMELESS, NAMED, NAMED),
            (NAMELESS, Unknown, NAMELESS),
            // One that it has not.
            (NAMED, OTHER, NAMED),
            (NAMED, Known(3), NAMED),
        ] {
            let merged = merged(&[inferred], &[declared]);
            assert_eq!(merged, Ok(vec![expected]), "{inferred:?} and {declared:?}");
        }
    }

    #[test]
    fn a_declaration_does_not_contradict() {
        let shapes = |what: &str| Err(Contradiction::Shapes(what.into()));
        assert_eq!(merged(&[Known(3)], &[Known(4)]), shapes("size 4 is not 3"));
        assert_eq!(merged(&[NAMED], &[NAMED, NAMED]), shapes("rank 2 is not 1"));
        let of = |elem| Type { elem, shape: None };
        let apart = merge(&graph(), &of(DataType::Float), &of(DataType::Int64));
        assert_eq!(apart, Err(Contradiction::Elements("INT64 is no FLOAT".into())));
    }

    #[test]
    fn what_one_of_them_does_not_say_the_other_does() {
        let (full, nothing) = (Type::new(DataType::Float, vec![NAMED]), Type::default());
        assert_eq!(merge(&graph(), &full, &nothing), Ok(full.clone()));
        assert_eq!(merge(&graph(), &nothing, &full), Ok(full));
    }
}
