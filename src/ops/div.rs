//! `Div`.

use crate::ir::{
    Affine, Call, Constants, Dim, Error, Expr, Kind, NodeRef, Operator, Sign, Type, Value,
};

pub(super) const OPERATOR: &dyn Operator = &Div;

struct Div;

impl Operator for Div {
    fn names(&self) -> &[&'static str] {
        &["Div"]
    }

    fn infer(&self, node: NodeRef) -> Result<Vec<Type>, Error> {
        node.elementwise(0)
    }

    fn kind(&self, node: NodeRef) -> Result<Kind, Error> {
        Ok(node.binary(Kind::Quotient))
    }

    fn sign(&self, _node: NodeRef) -> Sign {
        Sign::AsOperands
    }

    fn fold(&self, node: NodeRef) -> Option<Vec<Dim>> {
        node.fold(|a, b| match (a, b) {
            (Dim::Known(a), Dim::Known(b)) => a.checked_div(b).map_or(Dim::Unknown, Dim::Known),
            (dim, Dim::Known(1)) => dim,
            _ => Dim::Unknown,
        })
    }

    fn constants(&self, node: NodeRef) -> Option<Constants> {
        (!node.is_active(1)).then_some(Constants::Broadcast)
    }

    fn affine<'e>(&self, call: &Call<'_, 'e>, x: Value) -> Result<Affine<'e>, Error> {
        let c = call.beside(x)?;
        let one = call.emitter().scalar(c.ty().elem, 1.0);
        Ok(Affine { scale: Some(one / c), shift: None })
    }

    fn adjoint<'e>(&self, call: &Call<'_, 'e>, wrt: usize, s: Expr<'e>) -> Result<Expr<'e>, Error> {
        let quotient = s / call.x(1)?;
        let g = if wrt == 0 { quotient } else { -(quotient * call.y()) };
        g.sum_to(call.raw(wrt)?)
    }
}
