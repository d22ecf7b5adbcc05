//! `QuantizeLinear` and `DynamicQuantizeLinear`: numbers become the nearest quantised ones.
//!
//! What is quantised stands for the same numbers as before, so that relevance and gradients pass straight
//! through, as if it were a movement: those of a quantised tensor are those of the numbers that it stands
//! for ([`DequantizeLinear`](super::dequantize_linear)). Nothing flows where a number is saturated, because it lies beyond
//! the range by more than the half step by which any number may be rounded.

use super::quantisation::{is_integer, range, spread};
use crate::{
    ir::{Call, Error, Expr, Kind, NodeRef, Operator, Sign, Type},
    onnx::DataType,
};

pub(super) const OPERATOR: &dyn Operator = &Quantize;

struct Quantize;

impl Operator for Quantize {
    fn names(&self) -> &[&'static str] {
        &["QuantizeLinear", "DynamicQuantizeLinear"]
    }

    fn since(&self, name: &str) -> i64 {
        if name == "DynamicQuantizeLinear" { 11 } else { 10 }
    }

    fn attributes(&self) -> &[&'static str] {
        // With what precision it divides, and what float8 has in place of numbers that are too large.
        &["axis", "block_size", "output_dtype", "precision", "saturate"]
    }

    fn arity(&self) -> usize {
        3
    }

    fn infer(&self, node: NodeRef) -> Result<Vec<Type>, Error> {
        if is_dynamic(node) {
            let single = |elem| Type::new(elem, Vec::new());
            let q = node.ty(0)?.with(DataType::Uint8);
            return Ok(vec![q, single(DataType::Float), single(DataType::Uint8)]);
        }
        node.required(1)?;
        node.like_input_of(quantised_type(node)?)
    }

    fn kind(&self, _node: NodeRef) -> Result<Kind, Error> {
        Ok(Kind::Movement)
    }

    /// A scale that is computed is a statistic, which counts as constant.
    fn flows(&self, _node: NodeRef, operand: usize) -> bool {
        operand == 0
    }

    /// The elements are others than those that they stand for.
    fn copies(&self, _node: NodeRef) -> bool {
        false
    }

    fn may_be_infinite(&self, _node: NodeRef, _operand: bool) -> bool {
        false
    }

    fn sign(&self, node: NodeRef) -> Sign {
        let unsigned = range(node.output().elem).is_some_and(|(low, _)| low >= 0.0);
        let zero = || {
            node.input(2).is_none_or(|zero| node.graph().constant(zero).is_some_and(|z| z >= 0.0))
        };
        match is_dynamic(node) || unsigned {
            true => Sign::NonNegative,
            false if zero() => node.sign_of(0),
            false => Sign::Any,
        }
    }

    fn adjoint<'e>(
        &self,
        call: &Call<'_, 'e>,
        _wrt: usize,
        s: Expr<'e>,
    ) -> Result<Expr<'e>, Error> {
        // A range that is made for the numbers holds them all.
        if is_dynamic(call.node) { Ok(s) } else { unsaturated(call, s) }
    }
}

fn is_dynamic(node: NodeRef) -> bool {
    node.op_type() == "DynamicQuantizeLinear"
}

fn quantised_type(node: NodeRef) -> Result<DataType, Error> {
    let stated = node.int("output_dtype", 0)?;
    let stated = i32::try_from(stated).ok().and_then(|elem| DataType::try_from(elem).ok());
    let elem = match (node.input(2), stated) {
        (Some(zero), _) => node.graph().ty(zero).elem,
        (None, None | Some(DataType::Undefined)) => DataType::Uint8,
        (None, Some(elem)) => elem,
    };
    if elem == DataType::Undefined || range(elem).is_some() {
        return Ok(elem);
    }
    Err(Error::Shapes { what: format!("quantising to {}", elem.as_str_name()) })
}

/// `s` where the number is within what can be quantised, 0 elsewhere.
fn unsaturated<'e>(call: &Call<'_, 'e>, s: Expr<'e>) -> Result<Expr<'e>, Error> {
    let (node, x) = (call.node, call.x(0)?);
    let elem = quantised_type(node)?;
    let (low, high) = range(elem).ok_or(Error::Unknown { what: "a quantised type".into() })?;
    let half = if is_integer(elem) { 0.5 } else { 0.0 };
    let (low, high) = (low - half, high + half);
    // What is not negative is not below a range that holds 0, as every range of quantised numbers does.
    let below = !x.is_non_negative();
    let number = |operand| node.constant_float(operand);
    let zero = if node.input(2).is_some() { number(2) } else { Some(0.0) };
    if let (Some(scale), Some(zero)) = (number(1), zero) {
        let s = s * x.is_below((high - zero) * scale);
        return Ok(if below { s * x.is_above((low - zero) * scale) } else { s });
    }
    let scale = spread(node, call.x(1)?, x)?;
    let zero = call.get(2).map(|zero| spread(node, zero, x)).transpose()?;
    let bound = |end: f64| zero.map_or(scale * end, |zero| (end - zero) * scale);
    let s = s.masked(bound(high).exceeds(x));
    Ok(if below { s.masked(x.exceeds(bound(low))) } else { s })
}
