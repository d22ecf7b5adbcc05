//! Nodes and values, and what is known of them.

use std::{borrow::Cow, sync::Arc};

use super::{Array, Dim, Error, Graph, NodeIndex, Operator, Type};
use crate::onnx::schema::{AttributeProto, TensorProto};

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
pub(crate) struct Slots {
    pub(crate) from: u32,
    pub(crate) to: u32,
}

/// Where a node comes from.
#[derive(Debug, Clone)]
pub enum Origin {
    /// A graph input of the source that no initializer stands behind.
    Input,
    /// An initializer of the source; `None` for one whose elements are not read: a sparse one, or the mere
    /// default of a graph input.
    Initializer(Option<usize>),
    /// The n-th node of the source.
    Source(usize),
    /// A graph input added by the compiler.
    NewInput,
    /// A constant added by the compiler.
    NewConstant(Box<TensorProto>),
    /// A node added by the compiler.
    New(Box<Emitted>),
    /// A node of an inlined body: of a model-local function, a contrib operator, or the branch that an
    /// `If` is known to take. Appended before the node that it expands, whose outputs have the
    /// same values.
    Body(Box<Emitted>),
    /// In a subgraph, a value from outside: what its node reads at that place behind the declared
    /// inputs.
    Captured(usize),
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
    /// Whether it is a relevance divided by what it is the relevance of: where the sweep begins to work
    /// on a unit.
    pub is_quotient: bool,
    /// What it is in the formula, where that says more than the operator does: part of its name.
    pub label: Option<&'static str>,
}

#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) origin: Origin,
    pub(crate) operator: Option<&'static dyn Operator>,
    /// Whether it is a call whose body was appended before it, which reads what it reads.
    pub(crate) expanded: bool,
    /// Why a call has no body.
    pub(crate) refusal: Option<Box<Error>>,
    /// Declared inputs by place; edges beyond are captured by subgraphs. Operators ask for them one by
    /// one, and one of thousands is not to be looked for among the edges each time.
    pub(crate) inputs: Vec<Option<Value>>,
    pub(crate) children: Vec<Child>,
    pub(crate) outputs: Vec<Facts>,
}

/// A subgraph of a node.
#[derive(Debug, Clone)]
pub struct Child {
    /// The attribute that holds it.
    pub attribute: String,
    /// The subgraph. It is closed: what it reads from outside are inputs of its node, each of which
    /// stands in it as [`Origin::Captured`].
    pub graph: Arc<Graph>,
    /// What is true of it in the first run alone, where that is more than in all: what starts as a constant is
    /// one there.
    pub first: Option<Arc<Graph>>,
}

/// What the subgraphs of a node are called with.
#[derive(Debug, Clone, Default)]
pub struct Feeds {
    /// What is known of their inputs, in order, before they run for the first time.
    pub inputs: Vec<Facts>,
    /// The outputs that come back as inputs when they run again: pairs of an output and an input.
    pub carried: Vec<(usize, usize)>,
}

/// What is known about a value.
#[derive(Debug, Clone, PartialEq)]
pub struct Facts {
    /// Its name in the source; empty for what the compiler adds.
    pub name: String,
    /// Its type.
    pub ty: Type,
    /// Its elements, if they are few and follow from constants and shapes.
    pub contents: Option<Array>,
    /// Whether it depends on the data of an input: whether it is an activation.
    pub active: bool,
    /// Whether it is known not to be negative.
    pub non_negative: bool,
    /// Whether elements may be infinite by a constant's choice, as those of attention masks are.
    pub may_be_infinite: bool,
}

impl Facts {
    /// Its elements in order, for small integer tensors that follow from constants and shapes.
    pub fn ints(&self) -> Option<&[Dim]> {
        self.contents.as_ref()?.ints()
    }

    /// Nothing but a name.
    pub(crate) fn named(name: &str) -> Self {
        let (name, ty) = (name.to_string(), Type::default());
        Self {
            name,
            ty,
            contents: None,
            active: false,
            non_negative: false,
            may_be_infinite: false,
        }
    }

    /// What is true of both, under the name of the first.
    pub(crate) fn join(&self, other: &Self) -> Self {
        Self {
            name: self.name.clone(),
            ty: self.ty.join(&other.ty),
            contents: self.contents.clone().filter(|_| self.contents == other.contents),
            active: self.active || other.active,
            non_negative: self.non_negative && other.non_negative,
            may_be_infinite: self.may_be_infinite || other.may_be_infinite,
        }
    }

    /// Nothing, of a value that may depend on an input.
    pub(crate) fn unknown(active: bool) -> Self {
        Self { active, may_be_infinite: true, ..Self::named("") }
    }
}
