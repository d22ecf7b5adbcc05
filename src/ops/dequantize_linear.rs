//! `DequantizeLinear`: the numbers that quantised elements stand for.
//!
//! The gradient of a quantised tensor is that of the numbers it stands for, so that it passes here unchanged.
//! Only where nothing in the model quantised the elements, as with pixels that are given as bytes, are they
//! numbers of their own, which a scale multiplies.

use super::quantisation::{parameters, quantiser, range, same, spread};
use crate::{
    ir::{Array, Call, Dim, Error, Evaluation, Expr, Kind, NodeRef, Operator, Sign, Type},
    onnx::DataType,
};

pub(super) const OPERATOR: &dyn Operator = &DequantizeLinear;

struct DequantizeLinear;

impl Operator for DequantizeLinear {
    fn names(&self) -> &[&'static str] {
        &["DequantizeLinear"]
    }

    fn attributes(&self) -> &[&'static str] {
        &["axis", "block_size", "output_dtype"]
    }

    fn arity(&self) -> usize {
        3
    }

    fn since(&self, _name: &str) -> i64 {
        10
    }

    fn infer(&self, node: NodeRef) -> Result<Vec<Type>, Error> {
        let stated = i32::try_from(node.int("output_dtype", 0)?).unwrap_or_default();
        let elem = match DataType::try_from(stated) {
            Ok(elem) if elem != DataType::Undefined => elem,
            _ => node.ty(1)?.elem,
        };
        node.like_input_of(elem)
    }

    /// `(q − z) · s`: runtimes make one kernel of the node and the product behind it, if that product
    /// is its only reader.
    fn written_out<'e>(&self, call: &Call<'_, 'e>) -> Option<Expr<'e>> {
        let (q, scale) = (call.raw(0).ok()?, call.x(1).ok()?);
        // What takes less than a byte is cast since opset 21.
        let small = matches!(range(q.ty().elem), Some((_, ..16.0)));
        if small && call.node.opset() < 21 {
            return None;
        }
        let elem = call.node.output().relevance();
        let part = |v: Expr<'e>| spread(call.node, v.cast(elem), q).ok();
        let numbers = q.cast(elem);
        let numbers = match call.raw(2) {
            Ok(zero) => numbers - part(zero)?,
            Err(_) => numbers,
        };
        Some(numbers * part(scale)?)
    }

    fn eval(&self, of: &Evaluation) -> Option<Array> {
        if of.node.int("block_size", 0) != Ok(0) {
            return None;
        }
        let at = of.node.axis("axis", 1, of.shape.len().max(2)).ok()?;
        let spread = |list: &Array| {
            let list = list.clone().cast(DataType::Float)?;
            let after = vec![1; of.shape.len().saturating_sub(at + 1)];
            let single = list.len() == 1;
            if single {
                list.reshaped(&[])
            } else {
                list.reshaped(&[vec![list.len()], after].concat())
            }
        };
        let no_ints = |_, _| Dim::Unknown;
        let q = of.x(0)?.clone().cast(DataType::Float)?;
        let q = match of.node.input(2) {
            Some(_) => q.zip(&spread(of.x(2)?)?, of.shape, no_ints, |q, z| q - z)?,
            None => q,
        };
        q.zip(&spread(of.x(1)?)?, of.shape, no_ints, |q, scale| q * scale)
    }

    fn kind(&self, _node: NodeRef) -> Result<Kind, Error> {
        Ok(Kind::Affine)
    }

    fn flows(&self, _node: NodeRef, operand: usize) -> bool {
        operand == 0
    }

    fn sign(&self, node: NodeRef) -> Sign {
        let graph = node.graph();
        let positive = |v| graph.facts(v).non_negative;
        let (Ok(q), true) = (node.required(0), node.input(1).is_some_and(positive)) else {
            return Sign::Any;
        };
        // What was not negative before it was rounded.
        let rounded = || {
            let before = quantiser(graph, q).filter(|before| before.index() == q.node)?;
            let same = is_inverse(node, before) && before.input(0).is_some_and(positive);
            same.then_some(())
        };
        let least =
            range(graph.ty(q).elem).map(|(low, _)| if positive(q) { low.max(0.0) } else { low });
        // No element lies below the zero point.
        let above = |least: f64| match node.input(2) {
            Some(zero) => {
                let zeros = graph.facts(zero).ints();
                zeros.is_some_and(|zeros| {
                    zeros.iter().all(|z| z.known().is_some_and(|z| z as f64 <= least))
                })
            }
            None => least >= 0.0,
        };
        match least.is_some_and(above) || rounded().is_some() {
            true => Sign::NonNegative,
            false => Sign::Any,
        }
    }

    fn adjoint<'e>(
        &self,
        call: &Call<'_, 'e>,
        _wrt: usize,
        s: Expr<'e>,
    ) -> Result<Expr<'e>, Error> {
        let node = call.node;
        let before = quantiser(node.graph(), node.required(0)?);
        if before.is_some_and(|before| is_inverse(node, before)) {
            return Ok(s);
        }
        let s = s * spread(node, call.x(1)?, call.raw(0)?)?;
        // What was quantised by another scale stands for numbers of that.
        Ok(match before.and_then(|before| Some((before, parameters(before).0?))) {
            Some((before, scale)) => s / spread(before, call.emitter().real(scale), call.raw(0)?)?,
            None => s,
        })
    }
}

/// Whether a node undoes what a quantiser did.
fn is_inverse(node: NodeRef, quantiser: NodeRef) -> bool {
    let graph = node.graph();
    let (scale, zero) = parameters(quantiser);
    let absent = |zero: Option<crate::ir::Value>| {
        zero.filter(|&z| graph.constant(z).is_none_or(|z| z.abs() > 0.0))
    };
    same(graph, scale, node.input(1)) && same(graph, absent(zero), absent(node.input(2)))
}
