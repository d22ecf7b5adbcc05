//! `Neg`: −x.

use crate::ir::{Call, Error, Expr, Kind, NodeRef, Operator, Type};

pub(super) const OPERATOR: &dyn Operator = &Neg;

struct Neg;

impl Operator for Neg {
    fn names(&self) -> &[&'static str] {
        &["Neg"]
    }

    fn infer(&self, node: NodeRef) -> Result<Vec<Type>, Error> {
        node.like_input()
    }

    fn kind(&self, _node: NodeRef) -> Result<Kind, Error> {
        Ok(Kind::Affine)
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
