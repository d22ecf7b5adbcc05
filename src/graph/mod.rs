//! The graph: a petgraph `DiGraph` whose index order is execution order.
//!
//! Source nodes come first, in the order of the file (or, where a file is not sorted, in the
//! nearest order that is); what the compiler emits follows. The graph is append-only: nothing is
//! removed or re-pointed, and a pass that wants a smaller graph builds a fresh one. A value is a
//! node and an output slot; an edge carries the slots at both of its ends, so that `x·x` is two
//! edges and operands keep their places.
//!
//! Everything known about a value — element type, shape, small integer contents, whether it
//! depends on an input, whether it can be negative — is inferred once, when its node is appended.

pub mod emit;
mod export;
mod import;
mod inline;
mod rebuild;
mod types;
mod view;

use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

use petgraph::{Direction, graph::DiGraph, visit::EdgeRef};

pub use emit::{Emitter, Expr, Style};
pub use export::{Output, type_name};
pub use inline::Body;
pub use rebuild::Verdict;
pub use types::{Dim, Type, broadcast};
pub use view::{View, axis};

pub use petgraph::graph::NodeIndex;

use crate::{
    onnx::{
        External, Model, Tensor,
        schema::{AttributeProto, ModelProto, NodeProto, TensorProto, ValueInfoProto},
    },
    ops,
};

/// What can be wrong with the graph of a decodable model.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A node reads a value that nothing produces, or only a later node in a circle with it.
    #[error(
        "node '{node}' ({operator}, opset {opset}): its input '{input}' is produced {how}; the \
         model is invalid: check it with `onnx.checker.check_model`"
    )]
    Dangling {
        /// The node.
        node: String,
        /// Its operator.
        operator: String,
        /// The imported operator set.
        opset: i64,
        /// The name it reads.
        input: String,
        /// By nothing, or in a cycle.
        how: &'static str,
    },
    /// A name is given twice, or to nothing.
    #[error(
        "the value '{name}' {what}; the model is invalid: check it with `onnx.checker.check_model`"
    )]
    Value {
        /// The name.
        name: String,
        /// What is wrong with it.
        what: String,
    },
    /// A node contradicts its operator's definition.
    #[error("node '{node}' ({operator}, opset {opset}): {source}")]
    Node {
        /// The node.
        node: String,
        /// Its operator.
        operator: String,
        /// The imported operator set.
        opset: i64,
        /// What is wrong.
        source: ops::Error,
    },
}

/// An output of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Value {
    /// The node.
    pub node: NodeIndex,
    /// Which of its outputs.
    pub slot: u32,
}

/// An edge's ends: output slot of the producer, input slot of the consumer.
#[derive(Debug, Clone, Copy)]
struct Slots {
    from: u32,
    to: u32,
}

/// Where a node comes from.
#[derive(Debug, Clone)]
pub enum Origin {
    /// A graph input of the source that no initializer stands behind.
    Input,
    /// An initializer of the source; `None` for a sparse one.
    Initializer(Option<usize>),
    /// The n-th node of the source.
    Source(usize),
    /// A graph input added by the compiler.
    NewInput(Box<ValueInfoProto>),
    /// A constant added by the compiler.
    NewConstant(Box<TensorProto>),
    /// A node added by the compiler.
    New(Box<Emitted>),
    /// A node of a body that the source calls: of a function, a fused operator or a chosen branch.
    /// It stands before the call, whose results its own are.
    Body(Box<Emitted>),
}

/// A node added by the compiler, named when it is exported.
#[derive(Debug, Clone)]
pub struct Emitted {
    /// The `ai.onnx` operator.
    pub op_type: Cow<'static, str>,
    /// Its attributes.
    pub attributes: Vec<AttributeProto>,
    /// The source node it serves.
    pub scope: Arc<str>,
    /// What it is in the formula, where that says more than the operator does.
    pub role: Option<&'static str>,
}

#[derive(Debug, Clone)]
struct Node {
    origin: Origin,
    /// Declared inputs, empty ones included; edges beyond are captured by subgraphs.
    arity: u32,
    outputs: Vec<Facts>,
}

/// What is known about a value.
#[derive(Debug, Clone)]
pub struct Facts {
    /// Its name in the source; empty for what the compiler adds.
    pub name: String,
    /// Its type.
    pub ty: Type,
    /// Its elements in order, for small integer tensors that follow from constants and shapes.
    pub ints: Option<Vec<Dim>>,
    /// Whether it depends on the data of an input: whether it is an activation.
    pub active: bool,
    /// Whether it is known not to be negative.
    pub non_negative: bool,
    /// Whether elements may be infinite by a constant's choice, as those of attention masks are.
    pub infinite: bool,
}

impl Facts {
    /// Nothing but a name.
    fn named(name: &str) -> Self {
        let (name, ty) = (name.to_string(), Type::default());
        Self { name, ty, ints: None, active: false, non_negative: false, infinite: false }
    }
}

/// The graph.
#[derive(Debug, Clone)]
pub struct Graph {
    source: Arc<ModelProto>,
    external: External,
    opset: i64,
    dag: DiGraph<Node, Slots>,
    names: BTreeMap<String, Value>,
    symbols: Vec<Option<String>>,
    /// The results of bodies, and what the calls give in their place.
    given: BTreeMap<Value, Value>,
}

impl Graph {
    /// The graph of a model, with everything inferred that can be.
    pub fn new(model: &Model) -> Result<Self, Error> {
        import::import(model)
    }

    /// The imported version of `ai.onnx`.
    pub fn opset(&self) -> i64 {
        self.opset
    }

    /// The source's IR version.
    pub fn ir_version(&self) -> i64 {
        self.source.ir_version()
    }

    /// The source's message.
    pub fn source(&self) -> &ModelProto {
        &self.source
    }

    /// All nodes, in execution order.
    pub fn nodes(&self) -> impl DoubleEndedIterator<Item = NodeIndex> + ExactSizeIterator + use<> {
        self.dag.node_indices()
    }

    /// Where a node comes from.
    pub fn origin(&self, node: NodeIndex) -> &Origin {
        &self.dag[node].origin
    }

    /// Whether a node computes what the source says, by itself or in a body it calls.
    pub fn is_source(&self, node: NodeIndex) -> bool {
        matches!(self.dag[node].origin, Origin::Source(_) | Origin::Body(_))
    }

    /// What is read for a value: where a body's result is a call's, the call's, which is there.
    fn given(&self, value: Value) -> Value {
        self.given.get(&value).copied().unwrap_or(value)
    }

    /// The message of a node of the source.
    pub fn proto(&self, node: NodeIndex) -> Option<&NodeProto> {
        match self.dag[node].origin {
            Origin::Source(i) => self.source.graph.as_ref().and_then(|g| g.node.get(i)),
            _ => None,
        }
    }

    /// A node seen as a call of its operator.
    pub fn view(&self, node: NodeIndex) -> View<'_> {
        View::new(self, node)
    }

    /// The operands of a node by place; `None` where an optional one is left out.
    pub fn inputs(&self, node: NodeIndex) -> Vec<Option<Value>> {
        let mut inputs = vec![None; self.dag[node].arity as usize];
        for edge in self.dag.edges_directed(node, Direction::Incoming) {
            // A captured value is an edge to a slot beyond the declared ones.
            if let Some(input) = inputs.get_mut(edge.weight().to as usize) {
                *input = Some(Value { node: edge.source(), slot: edge.weight().from });
            }
        }
        inputs
    }

    /// Everything a node reads, what its subgraphs capture included.
    pub fn reads(&self, node: NodeIndex) -> impl Iterator<Item = Value> + '_ {
        let edges = self.dag.edges_directed(node, Direction::Incoming);
        edges.map(|edge| Value { node: edge.source(), slot: edge.weight().from })
    }

    /// The nodes that read the data of a value, once per operand: not those that ask for its shape or
    /// type alone.
    pub fn readers(&self, value: Value) -> impl Iterator<Item = NodeIndex> + '_ {
        let edges = self.dag.edges_directed(value.node, Direction::Outgoing);
        let readers = edges.filter(move |edge| edge.weight().from == value.slot);
        let readers = readers.map(|edge| edge.target());
        readers.filter(|&node| self.outputs(node).any(|v| self.is_active(v)))
    }

    /// The values a node produces.
    pub fn outputs(&self, node: NodeIndex) -> impl Iterator<Item = Value> + use<> {
        (0..self.dag[node].outputs.len() as u32).map(move |slot| Value { node, slot })
    }

    /// What is known about a value.
    pub fn facts(&self, value: Value) -> &Facts {
        // Values are made by this graph only, for slots that exist.
        &self.dag[value.node].outputs[value.slot as usize]
    }

    /// The name of a value in the source.
    pub fn name(&self, value: Value) -> &str {
        &self.facts(value).name
    }

    /// The type of a value.
    pub fn ty(&self, value: Value) -> &Type {
        &self.facts(value).ty
    }

    /// Whether a value depends on an input's data.
    pub fn is_active(&self, value: Value) -> bool {
        self.facts(value).active
    }

    /// The value of that name in the source.
    pub fn by_name(&self, name: &str) -> Option<Value> {
        self.names.get(name).copied()
    }

    /// The graph inputs of the source that are activations, in order.
    pub fn activations(&self) -> impl Iterator<Item = Value> + '_ {
        let inputs = self.nodes().filter(|&n| matches!(self.dag[n].origin, Origin::Input));
        inputs.map(|node| Value { node, slot: 0 })
    }

    /// The graph outputs of the source, in order.
    pub fn results(&self) -> impl Iterator<Item = Value> + '_ {
        let outputs = self.source.graph.iter().flat_map(|g| &g.output);
        outputs.filter_map(|output| self.by_name(output.name()))
    }

    /// How messages call a node: by its name, or by its first output where it has none.
    pub fn label(&self, node: NodeIndex) -> &str {
        match (self.proto(node), &self.dag[node].origin) {
            (Some(proto), _) if !proto.name().is_empty() => proto.name(),
            (_, Origin::Body(emitted)) => &emitted.scope,
            _ => self.dag[node].outputs.first().map_or("", |facts| facts.name.as_str()),
        }
    }

    /// The tensor behind a value, if it is an initializer or a `Constant`.
    pub fn tensor(&self, value: Value) -> Option<&TensorProto> {
        match &self.dag[value.node].origin {
            Origin::Initializer(Some(i)) => self.source.graph.as_ref()?.initializer.get(*i),
            Origin::NewConstant(tensor) => Some(tensor),
            Origin::Source(_) | Origin::Body(_)
                if self.view(value.node).op_type() == "Constant" =>
            {
                self.view(value.node).attribute("value").and_then(|a| a.t.as_ref())
            }
            _ => None,
        }
    }

    /// The value of a constant of one number.
    pub fn constant(&self, value: Value) -> Option<f64> {
        if let Some(tensor) = self.tensor(value) {
            let tensor = Tensor::new(tensor, &self.external);
            let ints = || Some(tensor.ints()?.into_iter().map(|n| n as f64).collect());
            return match tensor.floats().or_else(ints)?.as_slice() {
                &[number] => Some(number),
                _ => None,
            };
        }
        let view = self.view(value.node);
        match view.op_type() {
            "Constant" => Some(view.attribute("value_float")?.f?.into()),
            "Identity" | "Cast" | "CastLike" | "Unsqueeze" | "Reshape" => view.constant_float(0),
            _ => None,
        }
    }

    /// The multiply-adds of the products of all nodes, with unknown sizes counted as 1.
    pub fn multiply_adds(&self) -> f64 {
        let views = self.nodes().map(|node| self.view(node));
        views.filter_map(|view| Some(view.operator()?.multiply_adds(view))).sum()
    }

    /// The files that hold the source's external tensors.
    pub fn external(&self) -> &External {
        &self.external
    }

    /// The name of a symbolic size, if the source gives it one.
    pub fn symbol(&self, symbol: u32) -> Option<&str> {
        self.symbols.get(symbol as usize)?.as_deref()
    }

    /// A size that nothing is known about.
    pub(crate) fn fresh(&mut self) -> Dim {
        self.symbols.push(None);
        Dim::Symbol(self.symbols.len() as u32 - 1)
    }

    /// Appends a node and infers what can be said of its outputs.
    fn append(
        &mut self,
        origin: Origin,
        inputs: &[Option<Value>],
        captured: &[Value],
        outputs: Vec<Facts>,
    ) -> NodeIndex {
        let arity = inputs.len() as u32;
        let node = self.dag.add_node(Node { origin, arity, outputs });
        let operands = inputs.iter().enumerate().filter_map(|(to, v)| Some((to, (*v)?)));
        let captured = captured.iter().enumerate().map(|(i, &v)| (inputs.len() + i, v));
        for (to, value) in operands.chain(captured) {
            self.dag.add_edge(value.node, node, Slots { from: value.slot, to: to as u32 });
        }
        node
    }

    /// Fills in what the operator of a node that was just appended says about its outputs.
    fn infer(&mut self, node: NodeIndex) -> Result<(), ops::Error> {
        let view = self.view(node);
        let active = view.operator().map_or_else(
            || self.reads(node).any(|v| self.is_active(v)),
            |op| op.depends(view) && self.reads(node).any(|v| self.is_active(v)),
        );
        let infinite = self.reads(node).any(|v| self.facts(v).infinite);
        let (types, ints, non_negative, infinite) = match view.operator() {
            None => (Vec::new(), None, false, infinite),
            Some(op) => {
                let types = match op.infer(view) {
                    Err(ops::Error::Unknown { .. }) => Vec::new(),
                    types => types?,
                };
                let ints = op.fold(view).filter(|ints| ints.len() <= 64);
                let non_negative = match op.range(view) {
                    ops::Range::Any => false,
                    ops::Range::NonNegative => true,
                    ops::Range::AsOperands => self.reads(node).all(|v| self.facts(v).non_negative),
                };
                (types, ints, non_negative, op.is_infinite(view, infinite))
            }
        };
        for slot in 0..self.dag[node].outputs.len() {
            let inferred = types.get(slot).cloned().unwrap_or_default();
            let ty = self.settle(inferred);
            let facts = &mut self.dag[node].outputs[slot];
            facts.active = active;
            facts.ty = ty;
            facts.non_negative = non_negative;
            facts.infinite = infinite;
            if slot == 0 {
                facts.ints.clone_from(&ints);
            }
        }
        Ok(())
    }

    /// Gives every unknown size of a type a symbol of its own.
    fn settle(&mut self, mut ty: Type) -> Type {
        for dim in ty.shape.iter_mut().flatten() {
            if *dim == Dim::Unknown {
                *dim = self.fresh();
            }
        }
        ty
    }
}
