//! `Identity`.

use crate::ir::{Array, Call, Error, Evaluation, Expr, Kind, NodeRef, Operator, Sign, Type};

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

    fn eval(&self, of: &Evaluation) -> Option<Array> {
        of.x(0).cloned()
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
