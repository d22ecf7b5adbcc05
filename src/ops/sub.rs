//! `Sub`.

use crate::ir::{Affine, Call, Constants, Dim, Error, Expr, Kind, NodeRef, Operator, Type, Value};

pub(super) const OPERATOR: &dyn Operator = &Sub;

struct Sub;

impl Operator for Sub {
    fn names(&self) -> &[&'static str] {
        &["Sub"]
    }

    fn infer(&self, node: NodeRef) -> Result<Vec<Type>, Error> {
        node.elementwise(0)
    }

    fn kind(&self, node: NodeRef) -> Result<Kind, Error> {
        Ok(node.binary(Kind::Sum))
    }

    fn fold(&self, node: NodeRef) -> Option<Vec<Dim>> {
        node.fold(|a, b| match (a, b) {
            (Dim::Known(a), Dim::Known(b)) => a.checked_sub(b).map_or(Dim::Unknown, Dim::Known),
            (dim, Dim::Known(0)) => dim,
            _ => Dim::Unknown,
        })
    }

    fn constants(&self, node: NodeRef) -> Option<Constants> {
        (node.binary(Kind::Sum) == Kind::Affine).then_some(Constants::Broadcast)
    }

    fn affine<'e>(&self, call: &Call<'_, 'e>, x: Value) -> Result<Affine<'e>, Error> {
        let c = call.beside(x)?;
        if call.node.input(0) == Some(x) {
            return Ok(Affine { scale: None, shift: Some(-c) });
        }
        let minus_one = call.emitter().scalar(c.ty().elem, -1.0);
        Ok(Affine { scale: Some(minus_one), shift: Some(c) })
    }

    fn adjoint<'e>(&self, call: &Call<'_, 'e>, wrt: usize, s: Expr<'e>) -> Result<Expr<'e>, Error> {
        let s = if wrt == 0 { s } else { -s };
        s.sum_to(call.raw(wrt)?)
    }
}
