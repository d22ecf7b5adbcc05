//! `Identity`.

use crate::ir::{Call, Dim, Error, Expr, Kind, Operator, Range, Type, View};

pub(super) const OPERATOR: &dyn Operator = &Identity;

struct Identity;

impl Operator for Identity {
    fn names(&self) -> &[&'static str] {
        &["Identity"]
    }

    fn infer(&self, node: View) -> Result<Vec<Type>, Error> {
        node.like_input()
    }

    fn kind(&self, _node: View) -> Result<Kind, Error> {
        Ok(Kind::Movement)
    }

    fn fold(&self, node: View) -> Option<Vec<Dim>> {
        Some(node.contents(0)?.to_vec())
    }

    fn range(&self, _node: View) -> Range {
        Range::AsOperands
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
