//! `Identity`.

use crate::ir::{Call, Dim, Error, Expr, Kind, NodeRef, Operator, Sign, Type};

pub(super) const OPERATOR: &dyn Operator = &Identity;

struct Identity;

impl Operator for Identity {
    fn names(&self) -> &[&'static str] {
        &["Identity"]
    }

    fn infer(&self, node: NodeRef) -> Result<Vec<Type>, Error> {
        node.like_input()
    }

    fn kind(&self, _node: NodeRef) -> Result<Kind, Error> {
        Ok(Kind::Movement)
    }

    fn fold(&self, node: NodeRef) -> Option<Vec<Dim>> {
        Some(node.contents(0)?.to_vec())
    }

    fn sign(&self, _node: NodeRef) -> Sign {
        Sign::AsOperands
    }

    fn adjoint<'e>(
        &self,
        _call: &Call<'_, 'e>,
        _wrt: usize,
        s: Expr<'e>,
    ) -> Result<Expr<'e>, Error> {
        Ok(s)
    }
}
