//! A node as its operator sees it.

use super::{
    Attributes, Dim, Error, Facts, Graph, Kind, NodeIndex, Operator, Origin, Sign, Type, Value,
    broadcast,
};
use crate::onnx::{
    DataType,
    schema::{AttributeProto, NodeProto},
};

/// A node seen as a call: operator, operands, attributes, and what is known of them. Accessors
/// check what a hostile file could have written.
#[derive(Debug, Clone, Copy)]
pub struct NodeRef<'g> {
    graph: &'g Graph,
    node: NodeIndex,
}

impl<'g> NodeRef<'g> {
    pub(super) fn new(graph: &'g Graph, node: NodeIndex) -> Self {
        Self { graph, node }
    }

    /// The graph.
    pub fn graph(self) -> &'g Graph {
        self.graph
    }

    /// The node.
    pub fn index(self) -> NodeIndex {
        self.node
    }

    /// The operator's name; empty for inputs and initializers.
    pub fn op_type(self) -> &'g str {
        match self.graph.origin(self.node) {
            Origin::New(emitted) | Origin::Body(emitted) => &emitted.op_type,
            _ => self.graph.proto(self.node).map_or("", |p| p.op_type()),
        }
    }

    /// The operator's domain; empty for the standard one.
    pub fn domain(self) -> &'g str {
        self.graph.proto(self.node).map_or("", NodeProto::plain_domain)
    }

    /// The operator's name with its domain, for messages.
    pub fn operator_name(self) -> String {
        let proto = self.graph.proto(self.node);
        proto.map_or_else(|| self.op_type().to_string(), NodeProto::operator_name)
    }

    /// What the compiler knows of the operator.
    pub fn operator(self) -> Option<&'static dyn Operator> {
        self.graph.operator(self.node)
    }

    /// The imported operator set.
    pub fn opset(self) -> i64 {
        self.graph.opset
    }

    /// The attribute of that name.
    pub fn attribute(self, name: &str) -> Option<&'g AttributeProto> {
        Attributes(self.attributes()).get(name)
    }

    /// All attributes.
    pub fn attributes(self) -> &'g [AttributeProto] {
        match self.graph.origin(self.node) {
            Origin::New(emitted) | Origin::Body(emitted) => &emitted.attributes,
            _ => self.graph.proto(self.node).map_or(&[], |p| &p.attribute),
        }
    }

    /// An integer attribute, or its default.
    pub fn int(self, name: &str, default: i64) -> Result<i64, Error> {
        Ok(Attributes(self.attributes()).int(name)?.unwrap_or(default))
    }

    /// A float attribute, or its default.
    pub fn float(self, name: &str, default: f32) -> Result<f64, Error> {
        Ok(Attributes(self.attributes()).float(name)?.unwrap_or(default).into())
    }

    /// A string attribute, or its default.
    pub fn string(self, name: &str, default: &'static str) -> Result<&'g str, Error> {
        Ok(Attributes(self.attributes()).string(name)?.unwrap_or(default))
    }

    /// A string attribute that is one of these, the first by default.
    pub fn one_of(self, name: &str, known: &[&'static str]) -> Result<&'static str, Error> {
        let default = known.first().copied().unwrap_or_default();
        let stated = self.string(name, default)?;
        known.iter().copied().find(|&one| one == stated).ok_or_else(|| Error::Attribute {
            name: name.to_string(),
            what: format!("is {stated:?}, which is none of {}", known.join(", ")),
        })
    }

    /// An attribute that is 0 or 1, or its default.
    pub fn flag(self, name: &str, default: bool) -> Result<bool, Error> {
        match self.int(name, default.into())? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(Error::Attribute {
                name: name.to_string(),
                what: format!("is {other}, neither 0 nor 1"),
            }),
        }
    }

    /// Refuses what the node states and its operator does not read. Names that begin with two
    /// underscores are private to whoever wrote them, as for ONNX's own checker.
    pub(super) fn check(self, operator: &dyn Operator) -> Result<(), Error> {
        let known = operator.attributes();
        let private = |a: &&AttributeProto| a.name().starts_with("__");
        let mut others = self.attributes().iter().filter(|a| !known.contains(&a.name()));
        if let Some(other) = others.find(|a| !private(a)) {
            let what = "is none that the operator has".into();
            return Err(Error::Attribute { name: other.name().to_string(), what });
        }
        let given = self.inputs().iter().rposition(Option::is_some);
        match given.filter(|&last| last >= operator.arity()) {
            Some(operand) => {
                Err(Error::Operand { operand, what: "is one more than the operator has".into() })
            }
            None => Ok(()),
        }
    }

    /// A list of integers, if the attribute is there.
    pub fn ints(self, name: &str) -> Result<Option<&'g [i64]>, Error> {
        Attributes(self.attributes()).ints(name)
    }

    /// An operand, if it is given.
    pub fn input(self, operand: usize) -> Option<Value> {
        self.graph.dag[self.node].inputs.get(operand).copied().flatten()
    }

    /// All operands.
    pub fn inputs(self) -> Vec<Option<Value>> {
        self.graph.inputs(self.node)
    }

    /// An operand that the operator cannot do without.
    pub fn required(self, operand: usize) -> Result<Value, Error> {
        self.input(operand).ok_or(Error::Operand { operand, what: "is missing".into() })
    }

    /// The type of a required operand.
    pub fn ty(self, operand: usize) -> Result<&'g Type, Error> {
        Ok(self.graph.ty(self.required(operand)?))
    }

    /// What is known of an operand, but for its name.
    pub fn known(self, operand: usize) -> Facts {
        let nothing = || Facts::unknown(true);
        self.input(operand).map_or_else(nothing, |value| Facts {
            name: String::new(),
            ..self.graph.facts(value).clone()
        })
    }

    /// The subgraph that an attribute holds.
    pub fn child(self, attribute: &str) -> Result<&'g Graph, Error> {
        let children = self.graph.children(self.node);
        let child = children.iter().find(|child| child.attribute == attribute);
        child
            .map(|child| &*child.graph)
            .ok_or_else(|| Error::Attribute { name: attribute.into(), what: "is missing".into() })
    }

    /// The type of the first output.
    pub fn output(self) -> &'g Type {
        self.graph.ty(Value { node: self.node, slot: 0 })
    }

    /// The number of outputs.
    pub fn output_count(self) -> usize {
        self.graph.outputs(self.node).count()
    }

    /// Whether an operand is given and depends on an input's data.
    pub fn is_active(self, operand: usize) -> bool {
        self.input(operand).is_some_and(|v| self.graph.is_active(v))
    }

    /// How many operands depend on an input's data.
    pub fn active_count(self) -> usize {
        self.inputs().into_iter().flatten().filter(|&v| self.graph.is_active(v)).count()
    }

    /// The kind of an operation of two operands: `both` where both are activations, a shift or
    /// scale where one is a constant.
    pub fn binary(self, both: Kind) -> Kind {
        if self.is_active(0) && self.is_active(1) { both } else { Kind::Affine }
    }

    /// The sign of an operand, for results that have the same whatever the others are.
    pub fn sign_of(self, operand: usize) -> Sign {
        let non_negative = self.input(operand).is_some_and(|v| self.graph.facts(v).non_negative);
        if non_negative { Sign::NonNegative } else { Sign::Any }
    }

    /// The rank of an operand, where a rule cannot do without.
    pub fn rank(self, operand: usize) -> Result<usize, Error> {
        self.ty(operand)?
            .rank()
            .ok_or_else(|| Error::Unknown { what: format!("the rank of operand {operand}") })
    }

    /// The elements of an integer operand in order, as far as constants and shapes determine them.
    pub fn contents(self, operand: usize) -> Option<&'g [Dim]> {
        self.graph.facts(self.input(operand)?).ints()
    }

    /// The contents of an integer operand, if they are all known.
    pub fn constant_ints(self, operand: usize) -> Option<Vec<i64>> {
        self.contents(operand)?.iter().map(|d| d.known()).collect()
    }

    /// The same, where a constant holds more elements than contents are followed for.
    pub fn constant_list(self, operand: usize) -> Option<Vec<i64>> {
        self.graph.list(self.input(operand)?)
    }

    /// The value of a constant operand of one floating-point number.
    pub fn constant_float(self, operand: usize) -> Option<f64> {
        self.graph.constant(self.input(operand)?)
    }

    /// The elements of a constant floating-point operand, if they are few.
    pub fn constant_floats(self, operand: usize) -> Option<&'g [f64]> {
        self.graph.facts(self.input(operand)?).contents.as_ref()?.floats()
    }

    /// A list of axes that was an attribute until opset `until` and is operand 1 since: as plain
    /// axes of `rank`, or `None` where it is not given.
    pub fn axes(self, since: i64, rank: usize) -> Result<Option<Vec<usize>>, Error> {
        let axes = if self.opset() < since || self.attribute("axes").is_some() {
            self.ints("axes")?.map(<[i64]>::to_vec)
        } else if self.input(1).is_some() {
            let known = self.constant_ints(1);
            Some(known.ok_or(Error::Unknown { what: "the axes".into() })?)
        } else {
            None
        };
        axes.map(|axes| axes.into_iter().map(|a| axis(a, rank)).collect()).transpose()
    }

    /// An axis attribute as a plain axis of operand 0.
    pub fn axis(self, name: &str, default: i64, rank: usize) -> Result<usize, Error> {
        axis(self.int(name, default)?, rank)
    }

    /// Refuses operands, from one on, whose elements are not of one type.
    pub fn of_one_type(self, first: usize) -> Result<(), Error> {
        let elems = self.inputs().into_iter().skip(first).flatten();
        let mut elems = elems.map(|v| self.graph.ty(v).elem).filter(|e| *e != DataType::Undefined);
        let Some(elem) = elems.next() else { return Ok(()) };
        match elems.find(|other| *other != elem) {
            Some(other) => Err(Error::Shapes {
                what: format!("operands of {} and {}", elem.as_str_name(), other.as_str_name()),
            }),
            None => Ok(()),
        }
    }

    /// The type of an elementwise operation: all operands broadcast, elements as operand `like`, which
    /// all behind it have, too.
    pub fn elementwise(self, like: usize) -> Result<Vec<Type>, Error> {
        self.of_one_type(like)?;
        self.broadcast(like)
    }

    /// As [`NodeRef::elementwise`], for operands of several types.
    pub fn broadcast(self, like: usize) -> Result<Vec<Type>, Error> {
        let inputs = self.inputs();
        let types = inputs.iter().flatten().map(|&v| self.graph.ty(v));
        let shape = broadcast(types).map_err(|(a, b)| Error::Shapes {
            what: format!("sizes {a} and {b} do not broadcast"),
        })?;
        Ok(vec![Type { elem: self.ty(like)?.elem, shape }])
    }

    /// The type of operand 0, unchanged.
    pub fn like_input(self) -> Result<Vec<Type>, Error> {
        Ok(vec![self.ty(0)?.clone()])
    }

    /// As [`NodeRef::like_input`], with elements of another type.
    pub fn like_input_of(self, elem: DataType) -> Result<Vec<Type>, Error> {
        Ok(vec![self.ty(0)?.with(elem)])
    }
}

/// A possibly negative axis as a plain one.
pub fn axis(axis: i64, rank: usize) -> Result<usize, Error> {
    let plain = if axis < 0 { axis.checked_add(rank as i64) } else { Some(axis) };
    match plain.map(usize::try_from) {
        Some(Ok(plain)) if plain < rank => Ok(plain),
        _ => Err(Error::Shapes { what: format!("axis {axis} of a tensor of rank {rank}") }),
    }
}
