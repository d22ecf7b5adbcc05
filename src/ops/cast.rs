//! `Cast`.

use crate::{
    ir::{Array, Call, Error, Evaluation, Expr, Kind, NodeRef, Operator, Sign, Type},
    onnx::DataType,
};

pub(super) const OPERATOR: &dyn Operator = &Cast;

struct Cast;

impl Operator for Cast {
    fn names(&self) -> &[&'static str] {
        &["Cast"]
    }

    fn attributes(&self) -> &[&'static str] {
        &["round_mode", "saturate", "to"]
    }

    fn infer(&self, node: NodeRef) -> Result<Vec<Type>, Error> {
        node.like_input_of(target(node)?)
    }

    fn kind(&self, node: NodeRef) -> Result<Kind, Error> {
        let ty = Type { elem: target(node)?, shape: None };
        // To an integer it is a rounding; from a boolean there is nothing to flow to.
        let flows = ty.is_float() && node.ty(0)?.elem != DataType::Bool;
        Ok(if flows { Kind::Movement } else { Kind::Stop })
    }

    fn eval(&self, of: &Evaluation) -> Option<Array> {
        of.x(0).cloned()
    }

    fn sign(&self, _node: NodeRef) -> Sign {
        Sign::AsOperands
    }

    fn adjoint<'e>(&self, call: &Call<'_, 'e>, wrt: usize, s: Expr<'e>) -> Result<Expr<'e>, Error> {
        Ok(s.cast(call.node.ty(wrt)?.relevance()))
    }
}

fn target(node: NodeRef) -> Result<DataType, Error> {
    let to = node.int("to", 0)?;
    let known = i32::try_from(to).ok().and_then(|to| DataType::try_from(to).ok());
    known.filter(|elem| *elem != DataType::Undefined).ok_or_else(|| Error::Attribute {
        name: "to".into(),
        what: format!("is {to}, which is no element type"),
    })
}
