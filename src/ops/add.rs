//! `Add`.

use crate::ir::{
    Affine, Call, Constants, Dim, Error, Expr, Kind, Operator, Range, Type, Value, View,
};

pub(super) const OPERATOR: &dyn Operator = &Add;

struct Add;

impl Operator for Add {
    fn names(&self) -> &[&'static str] {
        &["Add"]
    }

    fn infer(&self, node: View) -> Result<Vec<Type>, Error> {
        node.elementwise(0)
    }

    fn kind(&self, node: View) -> Result<Kind, Error> {
        Ok(node.binary(Kind::Sum))
    }

    fn range(&self, _node: View) -> Range {
        Range::AsOperands
    }

    fn fold(&self, node: View) -> Option<Vec<Dim>> {
        node.fold(|a, b| match (a, b) {
            (Dim::Known(a), Dim::Known(b)) => a.checked_add(b).map_or(Dim::Unknown, Dim::Known),
            (dim, Dim::Known(0)) | (Dim::Known(0), dim) => dim,
            _ => Dim::Unknown,
        })
    }

    fn constants(&self, node: View) -> Option<Constants> {
        (node.binary(Kind::Sum) == Kind::Affine).then_some(Constants::Broadcast)
    }

    fn affine<'e>(&self, call: &Call<'_, 'e>, x: Value) -> Result<Affine<'e>, Error> {
        Ok(Affine { scale: None, shift: Some(call.beside(x)?) })
    }

    fn adjoint<'e>(&self, call: &Call<'_, 'e>, wrt: usize, s: Expr<'e>) -> Result<Expr<'e>, Error> {
        s.sum_to(call.raw(wrt)?)
    }
}
