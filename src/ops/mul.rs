//! `Mul`.

use crate::ir::{
    Affine, Call, Constants, Dim, Error, Expr, Kind, NodeRef, Operator, Sign, Type, Value,
};

pub(super) const OPERATOR: &dyn Operator = &Mul;

struct Mul;

impl Operator for Mul {
    fn names(&self) -> &[&'static str] {
        &["Mul"]
    }

    fn infer(&self, node: NodeRef) -> Result<Vec<Type>, Error> {
        node.elementwise(0)
    }

    fn kind(&self, node: NodeRef) -> Result<Kind, Error> {
        Ok(node.binary(Kind::Product))
    }

    fn sign(&self, _node: NodeRef) -> Sign {
        Sign::AsOperands
    }

    fn fold(&self, node: NodeRef) -> Option<Vec<Dim>> {
        node.fold(|a, b| match (a, b) {
            (Dim::Known(a), Dim::Known(b)) => a.checked_mul(b).map_or(Dim::Unknown, Dim::Known),
            (dim, Dim::Known(1)) | (Dim::Known(1), dim) => dim,
            _ => Dim::Unknown,
        })
    }

    fn constants(&self, node: NodeRef) -> Option<Constants> {
        (node.binary(Kind::Product) == Kind::Affine).then_some(Constants::Broadcast)
    }

    fn affine<'e>(&self, call: &Call<'_, 'e>, x: Value) -> Result<Affine<'e>, Error> {
        Ok(Affine { scale: Some(call.beside(x)?), shift: None })
    }

    fn adjoint<'e>(&self, call: &Call<'_, 'e>, wrt: usize, s: Expr<'e>) -> Result<Expr<'e>, Error> {
        (s * call.x(usize::from(wrt == 0))?).sum_to(call.raw(wrt)?)
    }
}
