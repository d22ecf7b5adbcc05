//! `TensorScatter`: a cache of keys or values, with those of new tokens written into it.

use crate::{
    ir::{Call, Error, Expr, Kind, NodeRef, Operator, Sign, Type},
    onnx::DataType,
};

pub(super) const OPERATOR: &dyn Operator = &TensorScatter;

struct TensorScatter;

impl Operator for TensorScatter {
    fn names(&self) -> &[&'static str] {
        &["TensorScatter"]
    }

    fn attributes(&self) -> &[&'static str] {
        &["axis", "mode"]
    }

    fn arity(&self) -> usize {
        3
    }

    fn since(&self, _name: &str) -> i64 {
        24
    }

    fn infer(&self, node: NodeRef) -> Result<Vec<Type>, Error> {
        node.like_input()
    }

    fn kind(&self, node: NodeRef) -> Result<Kind, Error> {
        match axis(node)? {
            0 => Err(Error::Shapes { what: "tokens along the axis of samples".into() }),
            _ => node.one_of("mode", &["linear", "circular"]).map(|_| Kind::Movement),
        }
    }

    fn flows(&self, _node: NodeRef, operand: usize) -> bool {
        operand < 2
    }

    fn sign(&self, _node: NodeRef) -> Sign {
        Sign::AsOperands
    }

    fn adjoint<'e>(&self, call: &Call<'_, 'e>, wrt: usize, s: Expr<'e>) -> Result<Expr<'e>, Error> {
        let (places, along) = (places(call)?, axis(call.node)?);
        if wrt == 1 {
            return s.gather_elements(places, along);
        }
        let zeros = call.emitter().zeros_like(s.ty().elem, call.raw(1)?);
        Ok(s.scatter(places, zeros, along))
    }
}

/// The axis of tokens.
fn axis(node: NodeRef) -> Result<usize, Error> {
    node.axis("axis", -2, node.rank(0)?)
}

/// Where along the axis of tokens each element of the update goes.
fn places<'e>(call: &Call<'_, 'e>) -> Result<Expr<'e>, Error> {
    let (node, along, update) = (call.node, axis(call.node)?, call.raw(1)?);
    let mut places = call.emitter().positions(update, along)?;
    if node.input(2).is_some() {
        let mut shape = vec![1; node.rank(0)?];
        shape[0] = -1;
        places = places + call.raw(2)?.cast(DataType::Int64).reshape(&shape);
    }
    if node.one_of("mode", &["linear", "circular"])? == "circular" {
        let size = call.raw(0)?.size(along);
        places = call.emitter().emit("Mod", &[Some(places), Some(size)], vec![]);
    }
    Ok(places.expand_like(update))
}
