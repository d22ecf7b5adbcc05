//! `Neg`: −x.

use super::{Affine, Call, Constants, Error, Kind, Operator};
use crate::graph::{Expr, Type, Value, View};

pub(super) const OPERATOR: &dyn Operator = &Neg;

struct Neg;

impl Operator for Neg {
    fn names(&self) -> &[&'static str] {
        &["Neg"]
    }

    fn infer(&self, node: View) -> Result<Vec<Type>, Error> {
        node.like_input()
    }

    fn kind(&self, _node: View) -> Result<Kind, Error> {
        Ok(Kind::Affine)
    }

    fn constants(&self, _node: View) -> Option<Constants> {
        Some(Constants::Broadcast)
    }

    fn affine<'e>(&self, call: &Call<'_, 'e>, x: Value) -> Result<Affine<'e>, Error> {
        let minus_one = call.emitter().scalar(call.node.graph().ty(x).relevance(), -1.0);
        Ok(Affine { scale: Some(minus_one), shift: None })
    }

    fn adjoint<'e>(
        &self,
        _call: &Call<'_, 'e>,
        _wrt: usize,
        s: Expr<'e>,
    ) -> Result<Expr<'e>, Error> {
        Ok(-s)
    }
}
