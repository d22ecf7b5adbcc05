//! What computes on quantised integers, written out on the numbers that they stand for.
//!
//! Where relevance is shared in proportion to values, those are the numbers that integers stand for, not the
//! integers. Two kinds of nodes need that, though their own operators know nothing of scales: what chooses or
//! mixes elements of quantised tensors, as a max pool does, and the product of integers that dynamic
//! quantisation makes of a layer,
//!
//! ```text
//! q, s, z = DynamicQuantizeLinear(x)
//! y = Cast(MatMulInteger(q, W, z, Z)) · (s · S)
//! ```
//!
//! of which the last node gets the body `DequantizeLinear(q, s, z) · (W − Z) · S`: a layer with weights that
//! the bias behind it folds into. A bias may also have been added to the product, as integers `Floor(b / (s · S))`.
//! Scales are statistics, which count as constant. Before that node the product has no scale, and its integers stand for
//! nothing that is known.

use crate::{
    ir::{Emitter, Error, Expr, Graph, NodeRef, Value},
    onnx::{
        DataType,
        schema::{AttributeProto, NodeProto},
    },
    ops::quantisation::{parameters, quantiser, same},
};

/// What is computed on quantised elements.
pub(super) enum Quantised<'c> {
    /// An operator on elements that are quantised alike.
    Elements { op_type: &'static str, call: &'c NodeProto, operands: Vec<Option<Value>> },
    /// A product of integers, and all that multiplies it.
    Product(Product),
}

/// A product of integers, in numbers.
pub(super) struct Product {
    op_type: &'static str,
    attributes: Vec<AttributeProto>,
    /// Its operands, each with what it was quantised by.
    operands: [Operand; 2],
    /// What else it is multiplied by: the scales of weights.
    factors: Vec<Value>,
    /// What is added to it.
    bias: Option<Bias>,
    /// The type of the result.
    elem: DataType,
}

/// An operand of a product of integers.
struct Operand {
    q: Value,
    zero: Option<Value>,
    /// The scale of an activation.
    scale: Option<Value>,
}

/// What is added to a product of integers: constants that are rounded in units of its scales. What is cut off of them is
/// less than a unit.
struct Bias {
    numbers: Value,
    /// The shape in which they are added.
    shape: Option<Value>,
}

/// What chooses or mixes elements of its first operand, which may be quantised.
const ELEMENTS: [&str; 4] = ["MaxPool", "ReduceMax", "ReduceMin", "Resize"];

/// The products of integers, and what they are products of.
const PRODUCTS: [(&str, &str); 2] = [("MatMulInteger", "MatMul"), ("ConvInteger", "Conv")];

/// How many factors a product may have, and how many nodes may lie between it and them.
const REACH: usize = 16;

impl<'c> Quantised<'c> {
    /// Reads a call, if it computes on quantised elements.
    pub fn of(graph: &Graph, call: &'c NodeProto, operands: &[Option<Value>]) -> Option<Self> {
        if !call.plain_domain().is_empty() {
            return None;
        }
        if call.op_type() == "Mul" {
            return Product::of(graph, operands).map(Self::Product);
        }
        let op_type = ELEMENTS.into_iter().find(|known| *known == call.op_type())?;
        let (scale, _) = parameters(quantiser(graph, (*operands.first()?)?)?);
        scale?;
        let single = call.output.iter().filter(|name| !name.is_empty()).count() == 1;
        single.then(|| Self::Elements { op_type, call, operands: operands.to_vec() })
    }

    /// The call on numbers.
    pub fn written(self, emitter: &Emitter) -> Result<Vec<Option<Value>>, Error> {
        let y = match self {
            Self::Product(product) => product.written(emitter),
            Self::Elements { op_type, call, operands } => {
                let missing = || Error::Operand { operand: 0, what: "is missing".into() };
                let q = operands.first().copied().flatten().ok_or_else(missing)?;
                let mut operands: Vec<_> =
                    operands.iter().map(|v| v.map(|v| emitter.expr(v))).collect();
                let by = |emitter: &Emitter| quantiser(&emitter.graph(), q).map(parameters);
                let (scale, zero) = by(emitter).ok_or_else(missing)?;
                let [scale, zero] = [scale, zero].map(|v| v.map(|v| emitter.expr(v)));
                let numbers = [operands.first().copied().flatten(), scale, zero];
                operands[0] = Some(emitter.emit("DequantizeLinear", &numbers, vec![]));
                let y = emitter.emit(op_type, &operands, call.attribute.clone());
                emitter.emit("QuantizeLinear", &[Some(y), scale, zero], vec![])
            }
        };
        Ok(vec![Some(y.value())])
    }
}

impl Product {
    /// Reads the operands of a `Mul` as a product of integers and its scales.
    fn of(graph: &Graph, operands: &[Option<Value>]) -> Option<Self> {
        let operands: Vec<_> = operands.iter().copied().collect::<Option<_>>()?;
        let elem = graph.ty(*operands.first()?).elem;
        let mut factors = factors(graph, operands)?;
        let at = factors.iter().position(|&factor| integers(graph, factor).is_some())?;
        let (product, summand) = integers(graph, factors.remove(at))?;
        let bias = match summand {
            Some(summand) => Some(Bias::of(graph, summand, &factors)?),
            None => None,
        };
        let (_, op_type) = PRODUCTS.into_iter().find(|(name, _)| *name == product.op_type())?;
        let mut operand = |at: usize| {
            let (q, zero) = (product.input(at)?, product.input(at + 2));
            if !graph.is_active(q) {
                return Some(Operand { q, zero, scale: None });
            }
            // Of an activation, one for each row has no place in `DequantizeLinear` before opset 13.
            zero.is_none_or(|zero| graph.ty(zero).count() == Some(1)).then_some(())?;
            // Its own scale has to be among the factors, and no other is it then.
            let (scale, _) = parameters(quantiser(graph, q)?);
            let at = factors.iter().position(|&factor| same(graph, Some(factor), scale))?;
            Some(Operand { q, zero, scale: Some(factors.remove(at)) })
        };
        let operands = [operand(0)?, operand(1)?];
        let constant = factors.iter().all(|&factor| !graph.is_active(factor));
        let attributes = product.attributes().to_vec();
        constant.then_some(Self { op_type, attributes, operands, factors, bias, elem })
    }

    fn written<'e>(&self, emitter: &'e Emitter) -> Expr<'e> {
        let operand = |Operand { q, zero, scale }: &Operand| {
            let [q, zero, scale] =
                [Some(*q), *zero, *scale].map(|value| value.map(|value| emitter.expr(value)));
            match (q, scale) {
                (Some(_), Some(_)) => {
                    Some(emitter.emit("DequantizeLinear", &[q, scale, zero], vec![]))
                }
                (Some(q), None) => {
                    // Those of kernels lie along their first axis, those of matrices along the last.
                    let after: Vec<_> = (1..q.ty().rank()?).collect();
                    let kernels = self.op_type == "Conv";
                    let spread = |zero: Expr<'e>| match zero.ty().rank() {
                        Some(1) if kernels => zero.unsqueeze(&after),
                        _ => zero,
                    };
                    let q = q.cast(self.elem);
                    Some(zero.map_or(q, |zero| q - spread(zero.cast(self.elem))))
                }
                (None, _) => None,
            }
        };
        let operands = [operand(&self.operands[0]), operand(&self.operands[1])];
        let product = emitter.emit(self.op_type, &operands, self.attributes.clone());
        let y = self.factors.iter().fold(product, |y, &factor| y * emitter.expr(factor));
        self.bias.as_ref().map_or(y, |Bias { numbers, shape }| {
            let numbers = emitter.expr(*numbers);
            y + shape.map_or(numbers, |shape| numbers.reshape_to(emitter.expr(shape)))
        })
    }
}

impl Bias {
    /// Reads the summand of a product of integers, which is in units of all its scales.
    fn of(graph: &Graph, summand: Value, scales: &[Value]) -> Option<Self> {
        let (mut at, mut shape) = (summand, None);
        for _ in 0..REACH {
            let node = graph.node(at.node);
            match node.op_type() {
                "Reshape" if shape.is_none() => shape = node.input(1),
                "Cast" | "Floor" | "Round" => {}
                "Div" => {
                    let units = factors(graph, vec![node.input(1)?])?;
                    let among = |all: &[Value], one: Value| {
                        all.iter().any(|&other| same(graph, Some(other), Some(one)))
                    };
                    let alike = units.len() == scales.len()
                        && units.iter().all(|&unit| among(scales, unit))
                        && scales.iter().all(|&scale| among(&units, scale));
                    let numbers = node.input(0).filter(|&numbers| !graph.is_active(numbers))?;
                    return alike.then_some(Self { numbers, shape });
                }
                _ => return None,
            }
            at = node.input(0)?;
        }
        None
    }
}

/// What is multiplied, whatever products it is written as.
fn factors(graph: &Graph, mut waiting: Vec<Value>) -> Option<Vec<Value>> {
    let mut factors = Vec::new();
    while let Some(value) = waiting.pop() {
        let node = graph.node(value.node);
        match node.op_type() {
            "Mul" => waiting.extend(node.inputs().into_iter().flatten()),
            _ => factors.push(value),
        }
        if waiting.len() + factors.len() > REACH {
            return None;
        }
    }
    Some(factors)
}

/// The product of integers that a value is made of by a `Cast`, and what is added to it before, if anything.
fn integers(graph: &Graph, value: Value) -> Option<(NodeRef<'_>, Option<Value>)> {
    let product = |value: Value| {
        let node = graph.node(value.node);
        PRODUCTS.iter().any(|(name, _)| *name == node.op_type()).then_some(node)
    };
    let cast = graph.node(value.node);
    let sum = (cast.op_type() == "Cast").then(|| cast.input(0)).flatten()?;
    if let Some(found) = product(sum) {
        return Some((found, None));
    }
    let sum = graph.node(sum.node);
    let (a, b) = (sum.input(0)?, sum.input(1)?);
    let add = sum.op_type() == "Add";
    [(a, b), (b, a)].into_iter().filter(|_| add).find_map(|(a, b)| Some((product(a)?, Some(b))))
}
