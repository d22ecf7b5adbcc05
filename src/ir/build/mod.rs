//! The emission builder: formulas in Rust, nodes in the graph.
//!
//! An [`Expr`] is a `Copy` handle on a value of the graph under construction. Arithmetic on handles
//! appends nodes, so that backward code reads like its formula:
//!
//! ```text
//! let s = r * y.sign() / (y + epsilon);
//! x * conv.adjoint(s)
//! ```
//!
//! What changed between operator sets is known here and nowhere else: callers say `sum(axes)`, and
//! the builder writes an attribute before opset 13 and an operand after.

mod expr;
mod index;
mod layout;
mod math;
mod reduce;
pub mod subgraph;

use std::{
    cell::{Ref, RefCell},
    collections::BTreeMap,
    sync::Arc,
};

pub use expr::Expr;
use subgraph::{Captures, Copies, Frame};

use super::{Child, Dim, Emitted, Error, Facts, Graph, NodeIndex, Origin, Type, Value};
use crate::onnx::{
    DataType,
    schema::{AttributeProto, TensorProto},
};

/// Element type, shape and raw data: what makes two constants equal.
type Contents = (i32, Vec<i64>, Vec<u8>);

/// What a formula is called, and what it is of.
type Formula = (&'static str, Vec<Value>);

/// How a formula is written where there are several ways that mean the same. By default, to the
/// letter; passes choose what runtimes are quicker at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a choice of its own")]
pub struct Lowering {
    /// Signs and selections by multiplication with masks.
    pub masks: bool,
    /// Quotients without a pole beside 0.
    pub smooth_poles: bool,
    /// Input gradients of convolutions of step 1 as convolutions.
    pub turned_convolutions: bool,
    /// The elements of a pool's windows taken apart by splits and slices.
    pub split_windows: bool,
    /// Relevance as a product that is multiplied out when somebody asks for it.
    pub cofactors: bool,
}

/// Appends nodes to a copy of a source graph.
#[derive(Debug)]
pub struct Emitter {
    lowering: Lowering,
    /// The graph, or the subgraph, under construction, with its constants and casts.
    graph: RefCell<Graph>,
    captures: RefCell<Captures>,
    /// The graphs that a subgraph under construction lies in, from the outermost.
    outer: RefCell<Vec<Frame>>,
    scope: RefCell<Arc<str>>,
    constants: RefCell<BTreeMap<Contents, Value>>,
    real: RefCell<BTreeMap<Value, Value>>,
    shared: RefCell<BTreeMap<Formula, Value>>,
    /// Where the values are of a subgraph that is copied to be explained; without one, those of the source
    /// are where they were.
    copies: RefCell<Option<Copies>>,
    error: RefCell<Option<Error>>,
    /// How many nodes there may be in the end.
    most: usize,
}

impl Emitter {
    /// A builder behind `source`.
    pub fn new(source: &Graph) -> Self {
        Self::with(source, Lowering::default())
    }

    /// A builder behind `source` that writes in a lowering.
    pub fn with(source: &Graph, lowering: Lowering) -> Self {
        Self { lowering, ..Self::onto(source.clone()) }
    }

    /// A builder that appends to a graph itself.
    pub(crate) fn onto(graph: Graph) -> Self {
        // In proportion to the source, with room for what is added to a small one.
        let most = (1 << 18) + 64 * (graph.dag.node_count() + graph.dag.edge_count());
        Self {
            most,
            lowering: Lowering::default(),
            graph: RefCell::new(graph),
            captures: RefCell::default(),
            outer: RefCell::default(),
            scope: RefCell::new(Arc::from("")),
            constants: RefCell::default(),
            real: RefCell::default(),
            shared: RefCell::default(),
            copies: RefCell::default(),
            error: RefCell::default(),
        }
    }

    /// The graph under construction.
    pub(crate) fn graph(&self) -> Ref<'_, Graph> {
        self.graph.borrow()
    }

    /// The graph with all that was appended.
    pub fn finish(self) -> Graph {
        self.graph.into_inner()
    }

    /// Names the source node that what follows is for.
    pub fn enter(&self, scope: &str) {
        *self.scope.borrow_mut() = Arc::from(scope);
    }

    /// What went wrong since this was last asked. Arithmetic cannot return a `Result`, so the
    /// sweep asks after every unit.
    pub fn check(&self) -> Result<(), Error> {
        self.error.borrow_mut().take().map_or(Ok(()), Err)
    }

    /// Refuses to go on where what is added is out of all proportion: adjoints that are written once
    /// for each of thousands of operands.
    pub(super) fn afford(&self) -> Result<(), Error> {
        let nodes = self.graph.borrow().dag.node_count();
        if nodes <= self.most {
            return Ok(());
        }
        Err(Error::Unsupported { what: format!("what takes more than {} nodes", self.most) })
    }

    /// How formulas are written.
    pub fn lowering(&self) -> Lowering {
        self.lowering
    }

    /// The operator set that nodes are written for.
    pub fn opset(&self) -> i64 {
        self.graph.borrow().opset
    }

    /// A handle on a value of the source, or of a subgraph of it [within](Self::within) which formulas are
    /// written.
    pub fn value(&self, value: Value) -> Expr<'_> {
        if let Some(copies) = &*self.copies.borrow() {
            if let Some(&(value, level)) = copies.get(&value) {
                return Expr { emitter: self, value, level };
            }
            // What has no copy is given by an operator that is not emitted.
            let what = "what an operator of another domain gives in a subgraph".into();
            self.error.borrow_mut().get_or_insert(Error::Unsupported { what });
            return self.scalar(DataType::Float, 0.0);
        }
        let value = self.source(|graph| graph.canonical(value));
        Expr { emitter: self, value, level: 0 }
    }

    /// What is known of the graph that no other lies around.
    fn source<T>(&self, known: impl FnOnce(&Graph) -> T) -> T {
        match self.outer.borrow().first() {
            Some(frame) => known(frame.graph()),
            None => known(&self.graph.borrow()),
        }
    }

    /// A handle on a value as it is.
    pub(crate) fn expr(&self, value: Value) -> Expr<'_> {
        Expr { emitter: self, value, level: self.level() }
    }

    /// A source value in the precision that relevance is computed in: float16, bfloat16 and
    /// integers are cast to float32, once.
    pub fn real(&self, value: Value) -> Expr<'_> {
        if let Some(&cast) = self.real.borrow().get(&value) {
            return self.expr(cast);
        }
        let known = self.value(value);
        let cast = known.cast(known.ty().relevance());
        self.real.borrow_mut().insert(value, cast.value());
        cast
    }

    /// What a formula of some values gives, written once: for what the adjoints by thousands of operands
    /// have in common.
    pub fn once<'e>(
        &'e self,
        name: &'static str,
        of: Vec<Value>,
        formula: impl FnOnce() -> Result<Expr<'e>, Error>,
    ) -> Result<Expr<'e>, Error> {
        let key = (name, of);
        if let Some(&value) = self.shared.borrow().get(&key) {
            return Ok(self.expr(value));
        }
        let written = formula()?;
        self.shared.borrow_mut().insert(key, written.value());
        Ok(written)
    }

    /// A node with one output that matters.
    pub fn emit<'e>(
        &'e self,
        op_type: &'static str,
        inputs: &[Option<Expr<'e>>],
        attributes: Vec<AttributeProto>,
    ) -> Expr<'e> {
        let node = self.node(op_type, inputs, attributes, 1);
        self.expr(Value { node, slot: 0 })
    }

    /// A node with several outputs.
    pub fn emit_all<'e>(
        &'e self,
        op_type: &'static str,
        inputs: &[Option<Expr<'e>>],
        attributes: Vec<AttributeProto>,
        outputs: usize,
    ) -> Vec<Expr<'e>> {
        let node = self.node(op_type, inputs, attributes, outputs);
        (0..outputs as u32).map(|slot| self.expr(Value { node, slot })).collect()
    }

    fn node<'e>(
        &'e self,
        op_type: &'static str,
        inputs: &[Option<Expr<'e>>],
        attributes: Vec<AttributeProto>,
        outputs: usize,
    ) -> NodeIndex {
        self.append(op_type, inputs, attributes, (Vec::new(), &[]), outputs)
    }

    /// A node, perhaps with subgraphs and what they capture.
    fn append<'e>(
        &'e self,
        op_type: &'static str,
        inputs: &[Option<Expr<'e>>],
        attributes: Vec<AttributeProto>,
        (children, captured): (Vec<Child>, &[Value]),
        outputs: usize,
    ) -> NodeIndex {
        // What is left out at the end is not stated at all.
        let given = inputs.iter().rposition(Option::is_some).map_or(0, |last| last + 1);
        let inputs: Vec<_> = inputs[..given].iter().map(|input| input.map(Expr::value)).collect();
        let scope = self.scope.borrow().clone();
        let emitted =
            Emitted { op_type: op_type.into(), attributes, scope, is_quotient: false, label: None };
        let mut graph = self.graph.borrow_mut();
        let facts = vec![Facts::named(""); outputs];
        let node = graph.append(Origin::New(Box::new(emitted)), &inputs, captured, facts);
        graph.dag[node].children = children;
        if let Err(error) = graph.infer(node) {
            self.error.borrow_mut().get_or_insert(error);
        }
        node
    }

    /// A constant, shared with equal ones.
    pub fn constant(&self, tensor: TensorProto) -> Expr<'_> {
        let raw = tensor.raw_data.as_deref().unwrap_or_default().to_vec();
        let key = (tensor.data_type(), tensor.dims.clone(), raw);
        if let Some(&value) = self.constants.borrow().get(&key) {
            return self.expr(value);
        }
        let mut graph = self.graph.borrow_mut();
        let facts = graph.constant_facts(&tensor);
        let node = graph.append(Origin::NewConstant(Box::new(tensor)), &[], &[], vec![facts]);
        let value = Value { node, slot: 0 };
        self.constants.borrow_mut().insert(key, value);
        self.expr(value)
    }

    /// A scalar of element type `elem`.
    pub fn scalar(&self, elem: DataType, value: f64) -> Expr<'_> {
        self.constant(TensorProto::of_floats(elem, &[], &[value]))
    }

    /// A tensor of zeros in the shape of `like`.
    pub fn zeros_like<'e>(&'e self, elem: DataType, like: Expr<'e>) -> Expr<'e> {
        self.scalar(elem, 0.0).expand_like(like)
    }

    /// A list of numbers.
    pub fn floats(&self, elem: DataType, values: &[f64]) -> Expr<'_> {
        self.constant(TensorProto::of_floats(elem, &[values.len()], values))
    }

    /// A list of zeros.
    pub fn zeros(&self, elem: DataType, count: usize) -> Expr<'_> {
        if count as i64 > Self::WRITTEN_OUT {
            return self.filled(elem, 0.0, &[count as i64]);
        }
        self.constant(TensorProto::of_floats(elem, &[count], &vec![0.0; count]))
    }

    /// A number repeated in a shape. Written as a node, so that a file does not grow by its size.
    pub fn filled(&self, elem: DataType, value: f64, shape: &[i64]) -> Expr<'_> {
        self.emit("Expand", &[Some(self.scalar(elem, value)), Some(self.ints(shape))], vec![])
    }

    /// A list of integers.
    pub fn ints(&self, values: &[i64]) -> Expr<'_> {
        self.constant(TensorProto::of_ints(&[values.len()], values))
    }

    /// Adds a graph input.
    pub fn input(&self, name: &str, ty: Type) -> Expr<'_> {
        let facts = Facts { ty, ..Facts::named(name) };
        let node = self.graph.borrow_mut().append(Origin::NewInput, &[], &[], vec![facts]);
        self.expr(Value { node, slot: 0 })
    }

    /// The numbers 0, 1, … up to this, as a list.
    pub fn counted(&self, count: i64) -> Result<Expr<'_>, Error> {
        self.positions(self.filled(DataType::Int64, 0.0, &[count]), 0)
    }

    /// How many numbers are written out that a node could count. A file says of an axis what it likes,
    /// and what is added to it must not grow with that.
    pub const WRITTEN_OUT: i64 = 1 << 16;

    /// The numbers 0, 1, … along an axis of `like`, in a shape that broadcasts against it.
    pub fn positions<'e>(&'e self, like: Expr<'e>, axis: usize) -> Result<Expr<'e>, Error> {
        let ty = like.ty();
        let rank = ty.rank().ok_or(Error::Unknown { what: "the rank".into() })?;
        if axis >= rank {
            return Err(Error::Shapes { what: format!("axis {axis} of a tensor of rank {rank}") });
        }
        let mut shape = vec![1; rank];
        let known = ty.dim(axis).and_then(Dim::known);
        if let Some(n) = known.filter(|n| *n <= Self::WRITTEN_OUT) {
            shape[axis] = n as usize;
            let values: Vec<i64> = (0..n).collect();
            return Ok(self.constant(TensorProto::of_ints(&shape, &values)));
        }
        if let Some(n) = known.filter(|_| self.opset() < 11) {
            return Err(Error::Unsupported { what: format!("an axis of {n} before opset 11") });
        }
        if self.opset() < 11 {
            return Err(Error::Opset { what: "counting along an axis of unknown size", since: 11 });
        }
        let scalar = |n| Some(self.constant(TensorProto::of_ints(&[], &[n])));
        let size = like.size(axis).reshape(&[]);
        let range = self.emit("Range", &[scalar(0), Some(size), scalar(1)], vec![]);
        let mut target: Vec<_> = shape.iter().map(|&n| n as i64).collect();
        target[axis] = known.unwrap_or(-1);
        Ok(range.reshape(&target))
    }
}
