//! A graph: nodes in execution order, and what has been found out about their values.

use std::{collections::BTreeMap, sync::Arc};

use petgraph::{Direction, graph::DiGraph, visit::EdgeRef};

use super::{
    Array, Child, Dim, Emitter, Error, Evaluation, Facts, Kind, NodeIndex, NodeRef, Operator,
    Origin, Registry, Sign, Type, Value, array,
    node::{Node, Slots},
};
use crate::onnx::{
    DataType, External, Tensor,
    schema::{GraphProto, ModelProto, NodeProto, TensorProto},
    shown::Shown,
};

/// The graph of a model, or a subgraph of one of its nodes.
#[derive(Debug, Clone)]
pub struct Graph {
    pub(crate) operators: &'static Registry,
    pub(crate) source: Arc<ModelProto>,
    /// Where its message stands in the source; `None` for a subgraph that the compiler added.
    pub(crate) path: Option<Vec<Step>>,
    pub(crate) external: External,
    pub(crate) opset: i64,
    pub(crate) dag: DiGraph<Node, Slots>,
    pub(crate) names: BTreeMap<String, Value>,
    pub(crate) outputs: Vec<Value>,
    /// The sizes that the source gives names, which have the first symbols.
    pub(crate) sizes: Arc<[String]>,
    /// The number of symbols, those without a name included.
    pub(crate) symbols: u32,
    /// From an output of an inlined body to the equal output of the node that it expands. Readers
    /// use the latter, because it is computed anyway.
    pub(crate) canonical: BTreeMap<Value, Value>,
    /// What the source declares of its values and does not hold.
    pub(crate) warnings: Vec<String>,
}

/// A step into a subgraph of the source: the node, its attribute, and the place among the graphs that
/// the attribute holds.
pub(crate) type Step = (usize, usize, usize);

impl Graph {
    /// A graph of that source with nothing in it.
    pub(crate) fn new(
        operators: &'static Registry,
        source: Arc<ModelProto>,
        external: External,
        opset: i64,
        sizes: Arc<[String]>,
    ) -> Self {
        Self {
            operators,
            opset,
            source,
            path: Some(Vec::new()),
            external,
            dag: DiGraph::new(),
            names: BTreeMap::new(),
            outputs: Vec::new(),
            symbols: sizes.len() as u32,
            sizes,
            canonical: BTreeMap::new(),
            warnings: Vec::new(),
        }
    }

    /// A graph of the same source with nothing in it, at another place.
    pub(crate) fn beside(&self, path: Option<Vec<Step>>) -> Self {
        let (source, external) = (self.source.clone(), self.external.clone());
        let fresh = Self::new(self.operators, source, external, self.opset, self.sizes.clone());
        Self { path, symbols: self.symbols, ..fresh }
    }

    /// Whether it is a subgraph that the compiler added.
    pub fn is_added(&self) -> bool {
        self.path.is_none()
    }

    /// The message of the graph; `None` for a subgraph that the compiler added.
    fn message(&self) -> Option<&GraphProto> {
        let root = self.source.graph.as_ref();
        self.path.as_ref()?.iter().try_fold(root?, |graph, &(node, attribute, at)| {
            let attribute = graph.node.get(node)?.attribute.get(attribute)?;
            attribute.g.iter().chain(&attribute.graphs).nth(at)
        })
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

    /// The value to read instead of `value`: the original node's, if `value` comes from a body inlined
    /// for it.
    pub(super) fn canonical(&self, value: Value) -> Value {
        self.canonical.get(&value).copied().unwrap_or(value)
    }

    /// The message of a node of the source.
    pub fn proto(&self, node: NodeIndex) -> Option<&NodeProto> {
        match self.dag[node].origin {
            Origin::Source(i) => self.message()?.node.get(i),
            _ => None,
        }
    }

    /// A node seen as a call of its operator.
    pub fn node(&self, node: NodeIndex) -> NodeRef<'_> {
        NodeRef::new(self, node)
    }

    /// The operands of a node by place; `None` where an optional one is left out.
    pub fn inputs(&self, node: NodeIndex) -> Vec<Option<Value>> {
        self.dag[node].inputs.clone()
    }

    /// Everything a node reads, with its place: what subgraphs capture lies behind the declared inputs.
    pub fn operands(&self, node: NodeIndex) -> impl Iterator<Item = (usize, Value)> + '_ {
        self.dag.edges_directed(node, Direction::Incoming).map(|edge| {
            let Slots { from, to } = *edge.weight();
            (to as usize, Value { node: edge.source(), slot: from })
        })
    }

    /// Everything a node reads, what its subgraphs capture included.
    pub fn reads(&self, node: NodeIndex) -> impl Iterator<Item = Value> + '_ {
        self.operands(node).map(|(_, value)| value)
    }

    /// The nodes that read the data of a value, once per operand: not those that ask for its shape or
    /// type alone, nor calls that have a body, which reads it in their place.
    pub fn readers(&self, value: Value) -> impl Iterator<Item = NodeIndex> + '_ {
        let edges = self.dag.edges_directed(value.node, Direction::Outgoing);
        let readers = edges.filter(move |edge| edge.weight().from == value.slot);
        let readers = readers.map(|edge| edge.target()).filter(|&node| !self.dag[node].expanded);
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
    pub fn graph_inputs(&self) -> impl Iterator<Item = Value> + '_ {
        let inputs = self.nodes().filter(|&n| matches!(self.dag[n].origin, Origin::Input));
        inputs.map(|node| Value { node, slot: 0 })
    }

    /// The outputs of the graph, in order.
    pub fn graph_outputs(&self) -> impl Iterator<Item = Value> + '_ {
        self.outputs.iter().copied()
    }

    /// The types of the outputs, in order.
    pub fn output_types(&self) -> Vec<Type> {
        self.graph_outputs().map(|value| self.ty(value).clone()).collect()
    }

    /// Refuses the subgraph that an attribute holds if it does not take that many inputs.
    pub(crate) fn takes(&self, attribute: &str, inputs: usize) -> Result<(), Error> {
        let found = self.graph_inputs().count();
        let what = format!("takes {found} inputs, not {inputs}");
        let name = attribute.into();
        if found == inputs { Ok(()) } else { Err(Error::Attribute { name, what }) }
    }

    /// What the subgraphs of a node capture.
    pub fn captured(&self, node: NodeIndex) -> Vec<Value> {
        let arity = self.dag[node].inputs.len();
        let captured = self.operands(node).filter(|&(place, _)| place >= arity);
        captured.collect::<BTreeMap<_, _>>().into_values().collect()
    }

    /// The subgraphs of a node.
    pub fn children(&self, node: NodeIndex) -> &[Child] {
        &self.dag[node].children
    }

    /// How messages call a node: by its name, or by its first output where it has none.
    pub fn label(&self, node: NodeIndex) -> &str {
        match (self.proto(node), &self.dag[node].origin) {
            (Some(proto), _) if !proto.name().is_empty() => proto.name(),
            (_, Origin::Body(emitted)) => &emitted.scope,
            (_, Origin::New(emitted)) => &emitted.op_type,
            _ => self.dag[node].outputs.first().map_or("", |facts| facts.name.as_str()),
        }
    }

    /// The tensor behind a value, if it is an initializer or a `Constant`.
    pub fn tensor(&self, value: Value) -> Option<&TensorProto> {
        match &self.dag[value.node].origin {
            Origin::Initializer(Some(i)) => self.message()?.initializer.get(*i),
            Origin::NewConstant(tensor) => Some(tensor),
            // A `Constant`, which alone has a tensor and no inputs.
            Origin::Source(_) | Origin::Body(_) if self.dag[value.node].inputs.is_empty() => {
                self.node(value.node).attribute("value").and_then(|a| a.t.as_ref())
            }
            _ => None,
        }
    }

    /// The elements of a constant of integers: read from its tensor where they are many, but no more than
    /// are written out again.
    pub fn list(&self, value: Value) -> Option<Vec<i64>> {
        match self.facts(value).ints() {
            Some(known) => known.iter().map(|n| n.known()).collect(),
            None => {
                let tensor = Tensor::new(self.tensor(value)?, &self.external);
                let few = tensor.count().ok()? as i64 <= Emitter::WRITTEN_OUT;
                if few { tensor.all_ints() } else { None }
            }
        }
    }

    /// The value of a constant of one number.
    pub fn constant(&self, value: Value) -> Option<f64> {
        self.facts(value).contents.as_ref()?.number()
    }

    /// The multiply-adds of the products of all nodes, with unknown sizes counted as 1.
    pub fn multiply_adds(&self) -> f64 {
        let of_node = |node: NodeIndex| {
            let view = self.node(node);
            let own = view.operator().map_or(0.0, |operator| operator.multiply_adds(view));
            own + self.children(node).iter().map(|child| child.graph.multiply_adds()).sum::<f64>()
        };
        self.nodes().map(of_node).sum()
    }

    /// A type as text: `f32[batch, 3, ?]`.
    pub fn type_text(&self, ty: &Type) -> String {
        let shape = ty.shape.as_ref().map_or("[…]".into(), |dims| self.shape_text(dims));
        format!("{}{shape}", ty.elem.short_name())
    }

    /// A shape as text.
    pub fn shape_text(&self, dims: &[Dim]) -> String {
        let dim = |dim: &Dim| match dim {
            Dim::Known(n) => n.to_string(),
            Dim::Symbol(s) => Shown(self.symbol(*s).unwrap_or("?")).to_string(),
            Dim::Unknown => "?".into(),
        };
        format!("[{}]", dims.iter().map(dim).collect::<Vec<_>>().join(", "))
    }

    /// The files that hold the source's external tensors.
    pub fn external(&self) -> &External {
        &self.external
    }

    /// The name of a symbolic size, if the source gives it one.
    pub fn symbol(&self, symbol: u32) -> Option<&str> {
        self.sizes.get(symbol as usize).map(String::as_str)
    }

    /// A size that nothing is known about.
    pub(crate) fn fresh(&mut self) -> Dim {
        self.symbols += 1;
        Dim::Symbol(self.symbols - 1)
    }

    /// What a tensor holds, if that is little.
    pub(super) fn small(&self, tensor: &TensorProto) -> Option<Array> {
        let sizes = tensor.dims.iter();
        let count = sizes.map(|&n| usize::try_from(n).ok()).collect::<Option<Vec<_>>>();
        let few = array::count(&count?).is_some_and(|count| count <= array::SMALL);
        if few { Array::of_tensor(tensor, &self.external) } else { None }
    }

    /// What is known of a constant.
    pub(crate) fn constant_facts(&self, tensor: &TensorProto) -> Facts {
        let elem = DataType::try_from(tensor.data_type()).unwrap_or_default();
        let shape = tensor.dims.iter().map(|&d| Dim::Known(d)).collect();
        let view = Tensor::new(tensor, &self.external);
        Facts {
            ty: Type::new(elem, shape),
            contents: self.small(tensor),
            non_negative: view.floats().is_some_and(|values| values.iter().all(|v| *v >= 0.0)),
            may_be_infinite: view.is_infinite(),
            ..Facts::named("")
        }
    }

    /// What is known of the operator of a node.
    pub fn operator(&self, node: NodeIndex) -> Option<&'static dyn Operator> {
        self.dag[node].operator
    }

    /// Why relevance cannot cross a node of which the compiler has no operator, or no body.
    pub fn refusal(&self, node: NodeIndex) -> Option<&Error> {
        self.dag[node].refusal.as_deref()
    }

    fn resolve(&self, origin: &Origin) -> Option<&'static dyn Operator> {
        match origin {
            Origin::Source(i) => {
                let proto = self.message()?.node.get(*i)?;
                self.operators.find(proto.plain_domain(), proto.op_type())
            }
            Origin::New(emitted) | Origin::Body(emitted) => {
                self.operators.find("", &emitted.op_type)
            }
            _ => None,
        }
    }

    /// Appends a node and infers what can be said of its outputs.
    pub(crate) fn append(
        &mut self,
        origin: Origin,
        inputs: &[Option<Value>],
        captured: &[Value],
        outputs: Vec<Facts>,
    ) -> NodeIndex {
        let (operator, children) = (self.resolve(&origin), Vec::new());
        let own = inputs.to_vec();
        let node = Node {
            origin,
            operator,
            expanded: false,
            refusal: None,
            inputs: own,
            children,
            outputs,
        };
        let node = self.dag.add_node(node);
        let operands = inputs.iter().enumerate().filter_map(|(to, v)| Some((to, (*v)?)));
        let captured = captured.iter().enumerate().map(|(i, &v)| (inputs.len() + i, v));
        for (to, value) in operands.chain(captured) {
            self.dag.add_edge(value.node, node, Slots { from: value.slot, to: to as u32 });
        }
        node
    }

    /// Fills in what the operator of a node that was just appended says about its outputs.
    pub(crate) fn infer(&mut self, node: NodeIndex) -> Result<(), Error> {
        let view = self.node(node);
        let active = view.operator().map_or_else(
            || self.reads(node).any(|v| self.is_active(v)),
            |op| op.depends(view) && self.reads(node).any(|v| self.is_active(v)),
        );
        let gives = |graph: &Self| graph.graph_outputs().any(|v| graph.facts(v).may_be_infinite);
        let infinite = self.reads(node).any(|v| self.facts(v).may_be_infinite)
            || self.children(node).iter().any(|child| gives(&child.graph));
        let inferred = view.operator().map(|op| view.check(op).and_then(|()| op.infer(view)));
        let inferred = match inferred {
            None | Some(Err(Error::Unknown { .. })) => Ok(Vec::new()),
            // What has no type has no meaning: an output that the operator does not have. Where no type
            // is told at all, too little is known of the operands.
            Some(Ok(types)) if !types.is_empty() && types.len() < self.dag[node].outputs.len() => {
                Err(Error::Shapes {
                    what: format!("output {} is one more than the operator has", types.len()),
                })
            }
            Some(inferred) => inferred,
        };
        let (contents, non_negative, infinite) = match (view.operator(), &inferred) {
            (None, _) => (None, false, infinite),
            (_, Err(_)) => (None, false, true),
            (Some(op), Ok(types)) => {
                let inputs = self.inputs(node);
                let known = |v: &Option<Value>| self.facts((*v)?).contents.as_ref();
                let inputs: Vec<_> = inputs.iter().map(known).collect();
                let contents = types
                    .first()
                    .and_then(|ty| Evaluation::output(view, op, ty, array::SMALL, &inputs));
                let non_negative = match op.sign(view) {
                    Sign::Any => false,
                    Sign::NonNegative => true,
                    Sign::AsOperands => self.reads(node).all(|v| self.facts(v).non_negative),
                };
                (contents, non_negative, op.may_be_infinite(view, infinite))
            }
        };
        for size in inferred.iter().flatten().flat_map(|ty| ty.shape.iter().flatten()) {
            if let Dim::Known(size) = size
                && !(0..=Type::LONGEST).contains(size)
            {
                return Err(Error::Shapes {
                    what: format!("its result would have a size of {size}"),
                });
            }
        }
        for ty in inferred.iter().flatten() {
            let known = ty.shape.iter().flatten().filter_map(|size| size.known());
            // An axis without elements leaves none.
            let sizes: Vec<_> = known.collect();
            let overflows = sizes.iter().try_fold(1i64, |n, &size| n.checked_mul(size)).is_none();
            if overflows && !sizes.contains(&0) {
                let what = "its result would have more elements than can be counted".into();
                return Err(Error::Shapes { what });
            }
        }
        for slot in 0..self.dag[node].outputs.len() {
            let ty = match &inferred {
                Ok(types) if types.is_empty() && slot == 0 => {
                    Some(Type { elem: self.elements(node), shape: None })
                }
                Ok(types) => types.get(slot).cloned(),
                Err(_) => None,
            };
            let ty = self.settle(ty.unwrap_or_default());
            let facts = &mut self.dag[node].outputs[slot];
            facts.active = active;
            facts.ty = ty;
            facts.non_negative = non_negative;
            facts.may_be_infinite = infinite;
            if slot == 0 {
                facts.contents.clone_from(&contents);
            }
        }
        inferred.map(|_| ())
    }

    /// The type of a node's elements where its operands do not tell the shape: what relevance crosses computes
    /// numbers of the type of those it reads.
    fn elements(&self, node: NodeIndex) -> DataType {
        let view = self.node(node);
        let kind = view.operator().and_then(|op| op.kind(view).ok());
        if kind.is_none_or(|kind| matches!(kind, Kind::Stop | Kind::Subgraphs)) {
            return DataType::Undefined;
        }
        let floats = self.reads(node).map(|v| self.ty(v)).find(|ty| ty.is_float());
        floats.map_or(DataType::Undefined, |ty| ty.elem)
    }

    /// Gives every unknown size of a type a symbol of its own.
    pub(crate) fn settle(&mut self, mut ty: Type) -> Type {
        for dim in ty.shape.iter_mut().flatten() {
            if *dim == Dim::Unknown {
                *dim = self.fresh();
            }
        }
        ty
    }
}
