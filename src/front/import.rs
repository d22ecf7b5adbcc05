//! From a message to a graph: names become edges, and every lie is found out.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, BinaryHeap},
};

use super::{
    Error,
    functions::{Scope, refuse},
};
use crate::{
    ir::{self, Dim, Facts, Graph, NodeIndex, Origin, Registry, Type, Value},
    onnx::{
        DataType, Model,
        schema::{
            GraphProto, NodeProto, TensorProto, TypeProto, tensor_shape_proto::dimension,
            type_proto,
        },
    },
};

/// The graph of a model, with everything inferred that can be.
pub fn import(model: &Model, operators: &'static Registry) -> Result<Graph, Error> {
    let graph =
        Graph::new(operators, model.proto().clone(), model.external().clone(), model.opset());
    let (symbols, declared) = (BTreeMap::new(), BTreeMap::new());
    let mut import = Import { graph, symbols, declared, budget: BODIES, refusal: None };
    import.run(model.graph())?;
    Ok(import.graph)
}

pub(super) struct Import<'m> {
    pub(super) graph: Graph,
    /// Named sizes.
    symbols: BTreeMap<&'m str, Dim>,
    /// What the file says of the types of its values.
    declared: BTreeMap<&'m str, Type>,
    /// How many nodes of bodies may still be appended.
    pub(super) budget: usize,
    /// Why the call in hand has no body.
    pub(super) refusal: Option<ir::Error>,
}

/// How many nodes bodies may come to: functions that call functions multiply.
const BODIES: usize = 100_000;

impl<'m> Import<'m> {
    fn run(&mut self, source: &'m GraphProto) -> Result<(), Error> {
        for info in source.input.iter().chain(&source.value_info).chain(&source.output) {
            if let Some(ty) = info.r#type.as_ref().and_then(|t| self.declared_type(t)) {
                self.declared.entry(info.name()).or_insert(ty);
            }
        }
        for (i, tensor) in source.initializer.iter().enumerate() {
            self.initializer(Some(i), tensor)?;
        }
        for sparse in &source.sparse_initializer {
            let values = sparse.values.clone().unwrap_or_default();
            self.initializer(None, &TensorProto { dims: sparse.dims.clone(), ..values })?;
        }
        for input in &source.input {
            if self.graph.names.contains_key(input.name()) {
                continue; // An initializer listed as an input, as IR version 3 demands.
            }
            let ty = self.declared.get(input.name()).cloned().unwrap_or_default();
            let ty = self.graph.settle(ty);
            let node = self.add(Origin::Input, &[], &[], [input.name()].into_iter())?;
            let facts = &mut self.graph.dag[node].outputs[0];
            (facts.ty, facts.active) = (ty, true);
        }
        for i in self.order(&source.node)? {
            self.node(i, &source.node[i])?;
        }
        for output in &source.output {
            if !self.graph.names.contains_key(output.name()) {
                return Err(Error::Value {
                    name: output.name().into(),
                    what: "is a graph output that no node produces".into(),
                });
            }
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
                    return Err(Error::Value { name: name.clone(), what: "is given twice".into() });
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
        let name = Some(node.name()).filter(|name| !name.is_empty());
        Error::Dangling {
            node: name.or(node.output.first().map(String::as_str)).unwrap_or_default().into(),
            operator: node.op_type().into(),
            opset: self.graph.opset,
            input: input.into(),
            how,
        }
    }

    fn initializer(&mut self, index: Option<usize>, tensor: &TensorProto) -> Result<(), Error> {
        let node = self.add(Origin::Initializer(index), &[], &[], [tensor.name()].into_iter())?;
        let name = tensor.name().to_string();
        self.graph.dag[node].outputs[0] = Facts { name, ..self.graph.constant_facts(tensor) };
        Ok(())
    }

    fn node(&mut self, index: usize, proto: &'m NodeProto) -> Result<(), Error> {
        let named = |name: &str| self.graph.by_name(name);
        let inputs: Vec<_> = proto.input.iter().map(|name| named(name)).collect();
        let captured: Vec<_> = captures(proto).into_iter().filter_map(named).collect();
        let label = Some(proto.name()).filter(|name| !name.is_empty());
        let label = label.or(proto.output.first().map(String::as_str)).unwrap_or_default();
        let body = self.inline(proto, &inputs, label, &Scope::default(), 0)?;
        let outputs = proto.output.iter().map(String::as_str);
        let node = self.add(Origin::Source(index), &inputs, &captured, outputs)?;
        self.graph.dag[node].refusal = self.refusal.take().map(Box::new);
        match body {
            Some(results) => self.adopt(node, &results),
            None => {
                self.graph.infer(node).map_err(|source| refuse(&self.graph, node, source))?;
            }
        }
        for value in self.graph.outputs(node) {
            let facts = self.graph.facts(value);
            let Some(declared) = self.declared.get(facts.name.as_str()) else { continue };
            let merged = merge(&self.graph, &facts.ty, declared).map_err(|what| {
                let what = format!("the file declares '{}' otherwise: {what}", facts.name);
                refuse(&self.graph, node, ir::Error::Shapes { what })
            })?;
            let merged = self.graph.settle(merged);
            self.declare(value, &merged);
        }
        Ok(())
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
                return Err(Error::Value { name, what: "is given twice".into() });
            }
        }
        Ok(node)
    }

    /// A declared type, with its named sizes as symbols.
    fn declared_type(&mut self, ty: &'m TypeProto) -> Option<Type> {
        let Some(type_proto::Value::TensorType(tensor)) = &ty.value else { return None };
        let elem = DataType::try_from(tensor.elem_type()).unwrap_or_default();
        let Some(shape) = &tensor.shape else { return Some(Type { elem, shape: None }) };
        let dim = |d: &'m crate::onnx::schema::tensor_shape_proto::Dimension| match &d.value {
            Some(dimension::Value::DimValue(n)) if *n >= 0 => Dim::Known(*n),
            Some(dimension::Value::DimParam(name)) if !name.is_empty() => {
                *self.symbols.entry(name).or_insert_with(|| {
                    self.graph.symbols.push(Some(name.clone()));
                    Dim::Symbol(self.graph.symbols.len() as u32 - 1)
                })
            }
            _ => Dim::Unknown,
        };
        Some(Type::new(elem, shape.dim.iter().map(dim).collect()))
    }
}

/// What inference and the file say together. What is inferred is never given up for a declaration,
/// save a size that inference had to leave open.
fn merge(graph: &Graph, inferred: &Type, declared: &Type) -> Result<Type, String> {
    let elem = match (inferred.elem, declared.elem) {
        (DataType::Undefined, elem) | (elem, DataType::Undefined) => elem,
        (a, b) if a == b => a,
        (a, b) => return Err(format!("{} is no {}", b.as_str_name(), a.as_str_name())),
    };
    let shape = match (&inferred.shape, &declared.shape) {
        (None, shape) | (shape, None) => shape.clone(),
        (Some(a), Some(b)) if a.len() != b.len() => {
            return Err(format!("rank {} is not {}", b.len(), a.len()));
        }
        (Some(a), Some(b)) => {
            let dims = a.iter().zip(b).map(|(&a, &b)| match (a, b) {
                (Dim::Known(a), Dim::Known(b)) if a != b => Err(format!("size {b} is not {a}")),
                (Dim::Symbol(s), b) if graph.symbol(s).is_none() && b != Dim::Unknown => Ok(b),
                _ => Ok(a),
            });
            Some(dims.collect::<Result<_, _>>()?)
        }
    };
    Ok(Type { elem, shape })
}

/// The names that the subgraphs of a node read from outside.
fn captures(node: &NodeProto) -> Vec<&str> {
    let mut names = Vec::new();
    for graph in node.attribute.iter().flat_map(|a| a.g.iter().chain(&a.graphs)) {
        let mut inner: BTreeSet<&str> = graph.input.iter().map(|i| i.name()).collect();
        inner.extend(graph.initializer.iter().map(|t| t.name()));
        inner.extend(graph.node.iter().flat_map(|n| &n.output).map(String::as_str));
        let reads =
            graph.node.iter().flat_map(|n| n.input.iter().map(String::as_str).chain(captures(n)));
        let results = graph.output.iter().map(|o| o.name());
        names.extend(reads.chain(results).filter(|n| !n.is_empty() && !inner.contains(n)));
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use Dim::{Known, Symbol, Unknown};

    const NAMED: Dim = Symbol(0);
    const NAMELESS: Dim = Symbol(1);
    const OTHER: Dim = Symbol(2);

    /// What inference and the file say together of a shape.
    fn merged(inferred: &[Dim], declared: &[Dim]) -> Result<Vec<Dim>, String> {
        let ty = |dims: &[Dim]| Type::new(DataType::Float, dims.to_vec());
        Ok(merge(&graph(), &ty(inferred), &ty(declared))?.shape.unwrap_or_default())
    }

    /// A graph that knows of a size with a name and of one without.
    fn graph() -> Graph {
        let model = Model::open("fixtures/forms/relu.op17.onnx").unwrap();
        let mut graph = import(&model, &crate::ops::REGISTRY).unwrap();
        graph.symbols = vec![Some("N".into()), None, Some("M".into())];
        graph
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
        assert_eq!(merged(&[Known(3)], &[Known(4)]), Err("size 4 is not 3".into()));
        assert_eq!(merged(&[NAMED], &[NAMED, NAMED]), Err("rank 2 is not 1".into()));
        let of = |elem| Type { elem, shape: None };
        let apart = merge(&graph(), &of(DataType::Float), &of(DataType::Int64));
        assert_eq!(apart, Err("INT64 is no FLOAT".into()));
    }

    #[test]
    fn what_one_of_them_does_not_say_the_other_does() {
        let (full, nothing) = (Type::new(DataType::Float, vec![NAMED]), Type::default());
        assert_eq!(merge(&graph(), &full, &nothing), Ok(full.clone()));
        assert_eq!(merge(&graph(), &nothing, &full), Ok(full));
    }
}
