//! `Add`.

use crate::ir::{
    Affine, Call, Constants, Dim, Error, Expr, Kind, NodeRef, Operator, Sign, Type, Value,
};

pub(super) const OPERATOR: &dyn Operator = &Add;

struct Add;

impl Operator for Add {
    fn names(&self) -> &[&'static str] {
        &["Add"]
    }

    fn infer(&self, node: NodeRef) -> Result<Vec<Type>, Error> {
        node.elementwise(0)
    }

    fn kind(&self, node: NodeRef) -> Result<Kind, Error> {
        Ok(node.binary(Kind::Sum))
    }

    fn sign(&self, _node: NodeRef) -> Sign {
        Sign::AsOperands
    }

    fn fold(&self, node: NodeRef) -> Option<Vec<Dim>> {
        node.fold(|a, b| match (a, b) {
            (Dim::Known(a), Dim::Known(b)) => a.checked_add(b).map_or(Dim::Unknown, Dim::Known),
            (dim, Dim::Known(0)) | (Dim::Known(0), dim) => dim,
            _ => Dim::Unknown,
        })
    }

    fn constants(&self, node: NodeRef) -> Option<Constants> {
        (node.binary(Kind::Sum) == Kind::Affine).then_some(Constants::Broadcast)
    }

    fn affine<'e>(&self, call: &Call<'_, 'e>, x: Value) -> Result<Affine<'e>, Error> {
        Ok(Affine { scale: None, shift: Some(call.beside(x)?) })
    }

    fn adjoint<'e>(&self, call: &Call<'_, 'e>, wrt: usize, s: Expr<'e>) -> Result<Expr<'e>, Error> {
        s.sum_to(call.raw(wrt)?)
    }
}
