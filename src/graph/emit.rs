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

use std::{
    cell::RefCell,
    collections::BTreeMap,
    ops::{Add, Div, Mul, Neg, Sub},
    sync::Arc,
};

use super::{Dim, Emitted, Facts, Graph, NodeIndex, Origin, Type, Value};
use crate::{
    onnx::{
        DataType,
        schema::{
            AttributeProto, TensorProto, TensorShapeProto, TypeProto, ValueInfoProto,
            attribute_proto::AttributeType,
            tensor_shape_proto::{Dimension, dimension},
            type_proto,
        },
    },
    ops::Error,
};

/// Element type, shape and raw data: what makes two constants equal.
type Contents = (i32, Vec<i64>, Vec<u8>);

/// How a formula is written where there are several ways that mean the same. By default, to the
/// letter; passes choose what runtimes are quicker at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a choice of its own")]
pub struct Style {
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

/// What turns a difference that is not lost to underflow into one of at least 1, without overflow of
/// what stays below 1e20: 2⁶⁰.
const STEEP: f64 = (1u64 << 60) as f64;

/// Appends nodes to a copy of a source graph.
#[derive(Debug)]
pub struct Emitter {
    style: Style,
    graph: RefCell<Graph>,
    scope: RefCell<Arc<str>>,
    constants: RefCell<BTreeMap<Contents, Value>>,
    real: RefCell<BTreeMap<Value, Value>>,
    error: RefCell<Option<Error>>,
}

impl Emitter {
    /// A builder behind `source`.
    pub fn new(source: &Graph) -> Self {
        Self::styled(source, Style::default())
    }

    /// A builder behind `source` that writes in a style.
    pub fn styled(source: &Graph, style: Style) -> Self {
        Self {
            style,
            graph: RefCell::new(source.clone()),
            scope: RefCell::new(Arc::from("")),
            constants: RefCell::default(),
            real: RefCell::default(),
            error: RefCell::default(),
        }
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

    /// How formulas are written.
    pub fn style(&self) -> Style {
        self.style
    }

    /// The operator set that nodes are written for.
    pub fn opset(&self) -> i64 {
        self.graph.borrow().opset
    }

    /// A handle on a value of the source.
    pub fn value(&self, value: Value) -> Expr<'_> {
        let value = self.graph.borrow().given(value);
        self.expr(value)
    }

    fn expr(&self, value: Value) -> Expr<'_> {
        Expr { emitter: self, value }
    }

    /// A source value in the precision that relevance is computed in: float16, bfloat16 and
    /// integers are cast to float32, once.
    pub fn real(&self, value: Value) -> Expr<'_> {
        let elem = self.graph.borrow().ty(value).relevance();
        if let Some(&cast) = self.real.borrow().get(&value) {
            return self.expr(cast);
        }
        let cast = self.value(value).cast(elem);
        self.real.borrow_mut().insert(value, cast.value);
        cast
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

    fn node<'e>(
        &'e self,
        op_type: &'static str,
        inputs: &[Option<Expr<'e>>],
        attributes: Vec<AttributeProto>,
        outputs: usize,
    ) -> NodeIndex {
        let inputs: Vec<_> = inputs.iter().map(|input| input.map(|e| e.value)).collect();
        let scope = self.scope.borrow().clone();
        let emitted = Emitted { op_type: op_type.into(), attributes, scope, role: None };
        let mut graph = self.graph.borrow_mut();
        let facts = vec![Facts::named(""); outputs];
        let node = graph.append(Origin::New(Box::new(emitted)), &inputs, &[], facts);
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
        let mut facts = Facts::named("");
        facts.ty = Type::new(
            DataType::try_from(tensor.data_type()).unwrap_or_default(),
            tensor.dims.iter().map(|&d| Dim::Known(d)).collect(),
        );
        facts.ints = super::import::small_ints(&tensor, &graph.external);
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
        let mut graph = self.graph.borrow_mut();
        let info = graph.value_info(name, &ty);
        let facts = Facts { ty, ..Facts::named(name) };
        let node = graph.append(Origin::NewInput(Box::new(info)), &[], &[], vec![facts]);
        self.expr(Value { node, slot: 0 })
    }

    /// The numbers 0, 1, … along an axis of `like`, in a shape that broadcasts against it.
    pub fn positions<'e>(&'e self, like: Expr<'e>, axis: usize) -> Result<Expr<'e>, Error> {
        let ty = like.ty();
        let rank = ty.rank().ok_or(Error::Unknown { what: "the rank".into() })?;
        let mut shape = vec![1; rank];
        if let Some(Dim::Known(n)) = ty.dim(axis) {
            shape[axis] = n as usize;
            let values: Vec<i64> = (0..n).collect();
            return Ok(self.constant(TensorProto::of_ints(&shape, &values)));
        }
        if self.opset() < 11 {
            return Err(Error::Opset { what: "counting along an axis of unknown size", since: 11 });
        }
        let scalar = |n| Some(self.constant(TensorProto::of_ints(&[], &[n])));
        let size = like.size(axis).reshape(&[]);
        let range = self.emit("Range", &[scalar(0), Some(size), scalar(1)], vec![]);
        let mut target: Vec<_> = shape.iter().map(|&n| n as i64).collect();
        target[axis] = -1;
        Ok(range.reshape(&target))
    }
}

impl Graph {
    /// The declaration of a value of that type.
    pub(super) fn value_info(&self, name: &str, ty: &Type) -> ValueInfoProto {
        let dim = |dim: &Dim| {
            let value = match dim {
                Dim::Known(n) => Some(dimension::Value::DimValue(*n)),
                Dim::Symbol(s) => self.symbol(*s).map(|n| dimension::Value::DimParam(n.into())),
                Dim::Unknown => None,
            };
            Dimension { value, denotation: None }
        };
        let shape = ty.shape.as_ref();
        let tensor = type_proto::Tensor {
            elem_type: Some(ty.elem as i32),
            shape: shape.map(|dims| TensorShapeProto { dim: dims.iter().map(dim).collect() }),
        };
        ValueInfoProto {
            name: Some(name.into()),
            r#type: Some(TypeProto {
                value: Some(type_proto::Value::TensorType(tensor)),
                denotation: None,
            }),
            ..ValueInfoProto::default()
        }
    }
}

/// An integer attribute.
pub fn int(name: &str, value: i64) -> AttributeProto {
    AttributeProto { i: Some(value), ..attribute(name, AttributeType::Int) }
}

/// A float attribute.
pub fn float(name: &str, value: f32) -> AttributeProto {
    AttributeProto { f: Some(value), ..attribute(name, AttributeType::Float) }
}

/// A text attribute.
pub fn string(name: &str, value: &str) -> AttributeProto {
    let s = Some(bytes::Bytes::copy_from_slice(value.as_bytes()));
    AttributeProto { s, ..attribute(name, AttributeType::String) }
}

/// A list of integers as an attribute.
pub fn ints(name: &str, values: &[i64]) -> AttributeProto {
    AttributeProto { ints: values.to_vec(), ..attribute(name, AttributeType::Ints) }
}

fn attribute(name: &str, ty: AttributeType) -> AttributeProto {
    AttributeProto { name: Some(name.into()), r#type: Some(ty as i32), ..AttributeProto::default() }
}

/// A handle on a value under construction.
#[derive(Debug, Clone, Copy)]
pub struct Expr<'e> {
    emitter: &'e Emitter,
    value: Value,
}

impl<'e> Expr<'e> {
    /// The value.
    pub fn value(self) -> Value {
        self.value
    }

    /// The builder.
    pub fn emitter(self) -> &'e Emitter {
        self.emitter
    }

    /// Its type.
    pub fn ty(self) -> Type {
        self.emitter.graph.borrow().ty(self.value).clone()
    }

    /// Whether it is known not to be negative.
    pub fn is_non_negative(self) -> bool {
        self.emitter.graph.borrow().facts(self.value).non_negative
    }

    /// Its rank, where a formula cannot do without.
    pub fn rank(self) -> Result<usize, Error> {
        self.ty().rank().ok_or(Error::Unknown { what: "the rank of an intermediate value".into() })
    }

    /// Says what the value is in the formula: the last part of its node's name.
    #[must_use]
    pub fn named(self, role: &'static str) -> Self {
        if let Origin::New(emitted) =
            &mut self.emitter.graph.borrow_mut().dag[self.value.node].origin
        {
            emitted.role.get_or_insert(role);
        }
        self
    }

    /// An operator of one operand and no attributes.
    pub fn unary(self, op_type: &'static str) -> Self {
        self.emitter.emit(op_type, &[Some(self)], vec![])
    }

    fn binary(self, op_type: &'static str, other: Self) -> Self {
        self.emitter.emit(op_type, &[Some(self), Some(other)], vec![])
    }

    fn scalar(self, value: f64) -> Self {
        self.emitter.scalar(self.ty().elem, value)
    }

    /// |x|
    pub fn abs(self) -> Self {
        self.unary("Abs")
    }

    /// |x|; of a layer a leaky `ReLU` of slope −1, which runtimes compute in one step with the layer.
    pub fn magnitude(self) -> Self {
        if !matches!(self.emitter.graph.borrow().view(self.value.node).op_type(), "Conv" | "Gemm") {
            return self.abs();
        }
        self.emitter.emit("LeakyRelu", &[Some(self)], vec![float("alpha", -1.0)])
    }

    /// max(x, 0)
    pub fn relu(self) -> Self {
        self.unary("Relu")
    }

    /// Whether masks are to be computed by arithmetic, which is written for float32.
    fn by_arithmetic(self) -> bool {
        self.emitter.style.masks && self.ty().elem == DataType::Float
    }

    /// −1, 0 or 1
    pub fn sign(self) -> Self {
        match self.by_arithmetic() {
            true if self.is_non_negative() => self.is_above(0.0),
            true => (self * STEEP).clip(-1.0, 1.0),
            false => self.unary("Sign"),
        }
    }

    /// What a gate that is never negative was multiplied with, for a product: it has the product's sign
    /// where the gate is not 0, and may have to be broadcast. Anything else is itself.
    pub fn ungated(self) -> Self {
        let graph = self.emitter.graph.borrow();
        let node = self.value.node;
        let value = match (graph.view(node).op_type(), graph.inputs(node).as_slice()) {
            ("Mul", &[Some(gated), Some(gate)]) if graph.facts(gate).non_negative => gated,
            ("Mul", &[Some(gate), Some(gated)]) if graph.facts(gate).non_negative => gated,
            _ => self.value,
        };
        Self { value, ..self }
    }

    /// ε where x ≥ 0, −ε elsewhere
    pub fn toward(self, epsilon: f64) -> Self {
        (self * STEEP + epsilon).clip(-epsilon, epsilon)
    }

    /// 1 where x > bound, 0 elsewhere
    pub fn is_above(self, bound: f64) -> Self {
        self.step(bound, 1.0)
    }

    /// 1 where x < bound, 0 elsewhere
    pub fn is_below(self, bound: f64) -> Self {
        self.step(bound, -1.0)
    }

    /// 1 where `direction · (x − bound) > 0`, 0 elsewhere.
    fn step(self, bound: f64, direction: f64) -> Self {
        // Powers of two keep the difference exact.
        if self.by_arithmetic() && (bound * STEEP).abs() < f64::from(f32::MAX) {
            let alpha = float("alpha", (direction * STEEP) as f32);
            let beta = float("beta", (-direction * STEEP * f64::from(bound as f32)) as f32);
            return self.emitter.emit("HardSigmoid", &[Some(self)], vec![alpha, beta]);
        }
        let bound = self.scalar(bound);
        let ordered = if direction > 0.0 { [self, bound] } else { [bound, self] };
        ordered[0].exceeds(ordered[1]).cast(self.ty().elem)
    }

    /// `self`, which is finite, where `condition` holds, and 0 elsewhere.
    pub fn masked(self, condition: Self) -> Self {
        if self.by_arithmetic() {
            self * condition.cast(self.ty().elem)
        } else {
            self.where_or(condition, 0.0)
        }
    }

    /// √x
    pub fn sqrt(self) -> Self {
        self.unary("Sqrt")
    }

    /// eˣ
    pub fn exp(self) -> Self {
        self.unary("Exp")
    }

    /// 1 / (1 + e⁻ˣ)
    pub fn sigmoid(self) -> Self {
        self.unary("Sigmoid")
    }

    /// x, cut to −bound … bound; float64, which has room, is left as it is.
    pub fn saturate(self, bound: f64) -> Self {
        if self.ty().elem == DataType::Double { self } else { self.clip(-bound, bound) }
    }

    /// x, cut to low … high
    pub fn clip(self, low: f64, high: f64) -> Self {
        if self.emitter.opset() < 11 {
            let bounds = vec![float("max", high as f32), float("min", low as f32)];
            return self.emitter.emit("Clip", &[Some(self)], bounds);
        }
        let bounds = [Some(self), Some(self.scalar(low)), Some(self.scalar(high))];
        self.emitter.emit("Clip", &bounds, vec![])
    }

    /// x = y, as booleans
    pub fn equals(self, other: Self) -> Self {
        if self.ty().is_float() && self.emitter.opset() < 11 {
            return (self - other).cast(DataType::Bool).unary("Not");
        }
        self.binary("Equal", other)
    }

    /// eˣ over its sum along an axis
    pub fn softmax(self, axis: usize) -> Result<Self, Error> {
        let rank = self.rank()?;
        // Before opset 13 it is over all axes from one on.
        let mut order: Vec<_> = (0..rank).collect();
        order.swap(axis, rank - 1);
        let last = vec![int("axis", rank as i64 - 1)];
        let turned = self.transpose(&order);
        Ok(self.emitter.emit("Softmax", &[Some(turned)], last).transpose(&order))
    }

    /// x = number, as booleans
    pub fn equals_number(self, number: f64) -> Self {
        self.equals(self.scalar(number))
    }

    /// xᵖ
    pub fn pow(self, p: Self) -> Self {
        self.binary("Pow", p)
    }

    /// x > y, as booleans
    pub fn greater(self, other: f64) -> Self {
        self.binary("Greater", self.scalar(other))
    }

    /// x > y, as booleans
    pub fn exceeds(self, other: Self) -> Self {
        self.binary("Greater", other)
    }

    /// `self` where `condition` holds, `other` elsewhere.
    pub fn where_(self, condition: Self, other: Self) -> Self {
        self.emitter.emit("Where", &[Some(condition), Some(self), Some(other)], vec![])
    }

    /// `self` where `condition` holds, the number elsewhere.
    pub fn where_or(self, condition: Self, other: f64) -> Self {
        self.where_(condition, self.scalar(other))
    }

    /// `self` where `condition` holds, `other` elsewhere; both are finite.
    pub fn select(self, condition: Self, other: Self) -> Self {
        if !self.by_arithmetic() {
            return self.where_(condition, other);
        }
        let mask = condition.cast(self.ty().elem);
        self * mask + other * (1.0 - mask)
    }

    /// With elements of another type.
    pub fn cast(self, elem: DataType) -> Self {
        if self.ty().elem == elem {
            return self;
        }
        self.emitter.emit("Cast", &[Some(self)], vec![int("to", elem as i64)])
    }

    /// With its axes in another order.
    pub fn transpose(self, order: &[usize]) -> Self {
        if order.is_sorted() {
            return self;
        }
        let perm: Vec<_> = order.iter().map(|&axis| axis as i64).collect();
        self.emitter.emit("Transpose", &[Some(self)], vec![ints("perm", &perm)])
    }

    /// In another shape; one size may be −1 and is then whatever is left.
    pub fn reshape(self, shape: &[i64]) -> Self {
        let ty = self.ty();
        let known: Option<Vec<_>> =
            ty.shape.as_ref().and_then(|dims| dims.iter().map(|d| d.known()).collect());
        if known.as_deref() == Some(shape) {
            return self;
        }
        self.reshape_to(self.emitter.ints(shape))
    }

    /// In the shape that an integer list holds.
    pub fn reshape_to(self, shape: Self) -> Self {
        self.binary("Reshape", shape)
    }

    /// In the shape of `other`, which has as many elements.
    pub fn reshape_like(self, other: Self) -> Self {
        let (ty, wanted) = (self.ty(), other.ty());
        if ty.shape.is_some() && ty.shape == wanted.shape {
            return self;
        }
        let out = self.reshape_to(other.shape());
        // Equal counts are the caller's word, and say more than inference can.
        out.assert(wanted.shape)
    }

    /// The same, where its type could not be inferred but is known to the caller.
    #[must_use]
    pub fn assume(self, ty: Type) -> Self {
        if self.ty().shape.is_none() {
            self.assert(ty.shape);
        }
        if self.ty().elem == DataType::Undefined {
            let mut graph = self.emitter.graph.borrow_mut();
            graph.dag[self.value.node].outputs[self.value.slot as usize].ty.elem = ty.elem;
        }
        self
    }

    /// The same, where the caller knows its type better than inference does. Where the two
    /// contradict each other, the model's own shapes do.
    pub fn known_as(self, ty: Type) -> Result<Self, Error> {
        let have = self.ty();
        let agree = |(a, b): (&Dim, &Dim)| a.known().zip(b.known()).is_none_or(|(a, b)| a == b);
        if have.shape.iter().flatten().zip(ty.shape.iter().flatten()).all(agree) {
            return Ok(self.assert(ty.shape.clone()).assume(ty));
        }
        let graph = self.emitter.graph.borrow();
        let (have, ty) = (graph.type_text(&have), graph.type_text(&ty));
        Err(Error::Shapes { what: format!("an operand of type {ty} with a derivative of {have}") })
    }

    /// The same, with a shape that is known better than inference does.
    fn assert(self, shape: Option<Vec<Dim>>) -> Self {
        if shape.is_some() {
            let mut graph = self.emitter.graph.borrow_mut();
            graph.dag[self.value.node].outputs[self.value.slot as usize].ty.shape = shape;
        }
        self
    }

    /// Its shape as an integer list to reshape to: constant, with −1 for a single unknown size,
    /// wherever that says it all.
    pub fn shape(self) -> Self {
        if let Some(dims) = self.ty().shape {
            let unknown = dims.iter().filter(|d| d.known().is_none()).count();
            if unknown == 0 || unknown == 1 && !dims.contains(&Dim::Known(0)) {
                let dims: Vec<_> = dims.iter().map(|d| d.known().unwrap_or(-1)).collect();
                return self.emitter.ints(&dims);
            }
        }
        self.unary("Shape")
    }

    /// Its shape as an integer list in which every size is what it is.
    pub fn exact_shape(self) -> Self {
        match self.ty().shape.and_then(|s| s.iter().map(|d| d.known()).collect::<Option<Vec<_>>>())
        {
            Some(dims) => self.emitter.ints(&dims),
            None => self.unary("Shape"),
        }
    }

    /// The size of an axis as a list of one integer.
    pub fn size(self, axis: usize) -> Self {
        if let Some(Dim::Known(n)) = self.ty().dim(axis) {
            return self.emitter.ints(&[n]);
        }
        self.unary("Shape").element(axis)
    }

    /// An element of a list, as a list.
    pub fn element(self, at: usize) -> Self {
        self.binary("Gather", self.emitter.ints(&[at as i64]))
    }

    /// The sum over `axes`, which stay as axes of size 1 if `keep` says so.
    pub fn sum(self, axes: &[usize], keep: bool) -> Self {
        if axes.is_empty() {
            return self;
        }
        let axes: Vec<_> = axes.iter().map(|&axis| axis as i64).collect();
        let keep = int("keepdims", keep.into());
        if self.emitter.opset() < 13 {
            return self.emitter.emit("ReduceSum", &[Some(self)], vec![ints("axes", &axes), keep]);
        }
        let axes = self.emitter.ints(&axes);
        self.emitter.emit("ReduceSum", &[Some(self), Some(axes)], vec![keep])
    }

    /// The product over `axes`, which stay as axes of size 1.
    pub fn product(self, axes: &[usize]) -> Self {
        self.reduce("ReduceProd", axes)
    }

    /// The largest over `axes`, which stay as axes of size 1.
    pub fn max(self, axes: &[usize]) -> Self {
        self.reduce("ReduceMax", axes)
    }

    fn reduce(self, op_type: &'static str, axes: &[usize]) -> Self {
        let axes: Vec<_> = axes.iter().map(|&axis| axis as i64).collect();
        if self.emitter.opset() < 18 {
            return self.emitter.emit(op_type, &[Some(self)], vec![ints("axes", &axes)]);
        }
        self.binary(op_type, self.emitter.ints(&axes))
    }

    /// The index of the largest value along an axis that stays with size 1; the first on ties.
    pub fn arg_max(self, axis: usize) -> Self {
        self.emitter.emit("ArgMax", &[Some(self)], vec![int("axis", axis as i64)])
    }

    /// A new axis of size 1 before each of `axes`, counted in the result.
    pub fn unsqueeze(self, axes: &[usize]) -> Self {
        if axes.is_empty() {
            return self;
        }
        let axes: Vec<_> = axes.iter().map(|&axis| axis as i64).collect();
        if self.emitter.opset() < 13 {
            return self.emitter.emit("Unsqueeze", &[Some(self)], vec![ints("axes", &axes)]);
        }
        self.binary("Unsqueeze", self.emitter.ints(&axes))
    }

    /// Broadcast to the shape of `other`.
    pub fn expand_like(self, other: Self) -> Self {
        let (ty, wanted) = (self.ty(), other.ty());
        if ty.shape.is_some() && ty.shape == wanted.shape {
            return self;
        }
        self.binary("Expand", other.exact_shape()).assert(wanted.shape)
    }

    /// The elements `from..to` along an axis; bounds as lists of one integer, constant or not.
    pub fn slice(self, axis: usize, from: Self, to: Self) -> Result<Self, Error> {
        if self.emitter.opset() >= 10 {
            let axes = self.emitter.ints(&[axis as i64]);
            let inputs = [Some(self), Some(from), Some(to), Some(axes)];
            return Ok(self.emitter.emit("Slice", &inputs, vec![]));
        }
        let graph = self.emitter.graph.borrow();
        let known = |e: Self| graph.facts(e.value).ints.as_ref()?.first()?.known();
        let (Some(from), Some(to)) = (known(from), known(to)) else {
            return Err(Error::Opset {
                what: "cutting at a position known at run time",
                since: 10,
            });
        };
        drop(graph);
        let bounds =
            vec![ints("axes", &[axis as i64]), ints("starts", &[from]), ints("ends", &[to])];
        Ok(self.emitter.emit("Slice", &[Some(self)], bounds))
    }

    /// The elements `from..to` along an axis.
    pub fn part(self, axis: usize, from: i64, to: i64) -> Self {
        if from == 0 && self.ty().dim(axis) == Some(Dim::Known(to)) {
            return self;
        }
        // Only bounds that are not known can be refused.
        let [from, to] = [from, to].map(|n| self.emitter.ints(&[n]));
        self.slice(axis, from, to).unwrap_or(self)
    }

    /// Pieces of size 1 along an axis of that size.
    pub fn split(self, axis: usize, count: usize) -> Vec<Self> {
        let sizes = vec![1; count];
        let along = int("axis", axis as i64);
        let node = if self.emitter.opset() < 13 {
            self.emitter.node("Split", &[Some(self)], vec![along, ints("split", &sizes)], count)
        } else {
            let operands = [Some(self), Some(self.emitter.ints(&sizes))];
            self.emitter.node("Split", &operands, vec![along], count)
        };
        (0..count).map(|slot| self.emitter.expr(Value { node, slot: slot as u32 })).collect()
    }

    /// One after the other along an axis.
    pub fn concat(parts: &[Self], axis: usize) -> Option<Self> {
        match parts {
            [] => None,
            [one] => Some(*one),
            [first, ..] => {
                let parts: Vec<_> = parts.iter().copied().map(Some).collect();
                Some(first.emitter.emit("Concat", &parts, vec![int("axis", axis as i64)]))
            }
        }
    }

    /// The identity matrix of the size of an axis of this.
    pub fn identity_along(self, axis: usize, elem: DataType) -> Result<Self, Error> {
        let (rows, columns) = if let Some(Dim::Known(n)) = self.ty().dim(axis) {
            let (positions, n) = ((0..n).collect::<Vec<_>>(), n as usize);
            let list =
                |dims: [usize; 2]| self.emitter.constant(TensorProto::of_ints(&dims, &positions));
            (list([n, 1]), list([1, n]))
        } else {
            let positions = self.emitter.positions(self, axis)?;
            (positions.reshape(&[-1, 1]), positions.reshape(&[1, -1]))
        };
        Ok(rows.equals(columns).cast(elem))
    }

    /// Every list along an axis times a matrix: `y[…, i, …] = Σ_o self[…, o, …] · matrix[i, o]`, the
    /// adjoint of what makes `o` of `i` by that matrix.
    pub fn times_along(self, axis: usize, matrix: Self) -> Result<Self, Error> {
        let rank = self.rank()?;
        if axis + 1 == rank {
            return Ok(self.matmul(matrix.transpose(&[1, 0])));
        }
        if axis + 2 == rank {
            return Ok(matrix.matmul(self));
        }
        let mut order: Vec<_> = (0..rank).collect();
        order.swap(axis, rank - 2);
        Ok(matrix.matmul(self.transpose(&order)).transpose(&order))
    }

    /// With `before` and `after` elements of `value` added to each axis.
    pub fn pad(self, before: &[i64], after: &[i64], value: f64) -> Self {
        if before.iter().chain(after).all(|&n| n == 0) {
            return self;
        }
        let pads: Vec<_> = before.iter().chain(after).copied().collect();
        if self.emitter.opset() < 11 {
            let attributes = vec![ints("pads", &pads), float("value", value as f32)];
            return self.emitter.emit("Pad", &[Some(self)], attributes);
        }
        let pads = self.emitter.ints(&pads);
        self.emitter.emit("Pad", &[Some(self), Some(pads), Some(self.scalar(value))], vec![])
    }

    /// Summed over the axes that `target` was broadcast along to get this shape: the adjoint of
    /// broadcasting.
    pub fn sum_to(self, target: Self) -> Result<Self, Error> {
        let unknown = |what: &str| Error::Unknown { what: what.into() };
        let from = self.ty().shape.ok_or_else(|| unknown("the shape of a broadcast result"))?;
        let to = target.ty().shape.ok_or_else(|| unknown("the shape of a broadcast operand"))?;
        let extra = from.len().saturating_sub(to.len());
        let (mut axes, mut open) = (Vec::new(), false);
        for (i, (&f, &t)) in from[extra..].iter().zip(&to).enumerate() {
            match (f, t) {
                (f, t) if f == t => {}
                (_, Dim::Known(1)) => axes.push(extra + i),
                (_, Dim::Known(_)) => {}
                _ if self.emitter.opset() >= 13 => open = true,
                _ => {
                    return Err(unknown(&format!(
                        "whether axis {i} of an operand of shape {} is broadcast",
                        self.emitter.graph.borrow().shape_text(&to)
                    )));
                }
            }
        }
        let leading: Vec<_> = (0..extra).collect();
        let kept = self.sum(&axes, true).sum(&leading, false);
        if open {
            // Sizes of different names may be equal, or one of them 1: that shows at run time.
            let broadcast = kept.exact_shape().equals(target.exact_shape()).unary("Not");
            let axes = broadcast.unary("NonZero").reshape(&[-1]);
            let summed = [Some(kept), Some(axes)];
            let attributes = vec![int("keepdims", 1), int("noop_with_empty_axes", 1)];
            let sum = self.emitter.emit("ReduceSum", &summed, attributes);
            return Ok(sum.assume(Type::new(self.ty().elem, to)));
        }
        Ok(kept.assert(Some(to)))
    }

    /// With the elements at `indices` along an axis replaced by `updates`, or with those added.
    pub fn scatter(self, indices: Self, updates: Self, axis: usize, add: bool) -> Self {
        let mut attributes = vec![int("axis", axis as i64)];
        attributes.extend(add.then(|| string("reduction", "add")));
        let op_type = if self.emitter.opset() < 11 { "Scatter" } else { "ScatterElements" };
        self.emitter.emit(op_type, &[Some(self), Some(indices), Some(updates)], attributes)
    }

    /// With the parts at lists of indices replaced by `updates`, or with those added.
    pub fn scatter_nd(self, indices: Self, updates: Self, add: bool) -> Self {
        let attributes = add.then(|| string("reduction", "add")).into_iter().collect();
        self.emitter.emit("ScatterND", &[Some(self), Some(indices), Some(updates)], attributes)
    }

    /// x·y, matrices in the last two axes.
    pub fn matmul(self, other: Self) -> Self {
        self.binary("MatMul", other)
    }

    /// With its last two axes exchanged.
    pub fn matrix_transpose(self) -> Result<Self, Error> {
        let rank = self.rank()?;
        let mut order: Vec<_> = (0..rank).collect();
        if rank >= 2 {
            order.swap(rank - 2, rank - 1);
        }
        Ok(self.transpose(&order))
    }
}

macro_rules! arithmetic {
    ($($trait:ident $method:ident $op_type:literal),*) => {$(
        impl<'e> $trait for Expr<'e> {
            type Output = Self;
            fn $method(self, other: Self) -> Self {
                self.binary($op_type, other)
            }
        }
        impl<'e> $trait<f64> for Expr<'e> {
            type Output = Self;
            fn $method(self, other: f64) -> Self {
                self.binary($op_type, self.scalar(other))
            }
        }
    )*};
}
arithmetic!(Add add "Add", Sub sub "Sub", Mul mul "Mul", Div div "Div");

impl<'e> Sub<Expr<'e>> for f64 {
    type Output = Expr<'e>;
    fn sub(self, x: Expr<'e>) -> Expr<'e> {
        x.scalar(self).binary("Sub", x)
    }
}

impl<'e> Div<Expr<'e>> for f64 {
    type Output = Expr<'e>;
    fn div(self, x: Expr<'e>) -> Expr<'e> {
        x.scalar(self) / x
    }
}

impl Neg for Expr<'_> {
    type Output = Self;
    fn neg(self) -> Self {
        self.unary("Neg")
    }
}
