//! What operators that only change the shape have in common.

use crate::ir::{Call, Dim, Error, Expr, Kind, Operator, Range, Type, View};

/// The same elements in another shape.
pub struct Reshaping {
    /// The operator.
    pub name: &'static str,
    /// The new type.
    pub infer: fn(View) -> Result<Type, Error>,
}

impl Operator for Reshaping {
    fn names(&self) -> &[&'static str] {
        std::slice::from_ref(&self.name)
    }

    fn infer(&self, node: View) -> Result<Vec<Type>, Error> {
        Ok(vec![(self.infer)(node)?])
    }

    fn kind(&self, _node: View) -> Result<Kind, Error> {
        Ok(Kind::Movement)
    }

    fn flows(&self, _node: View, operand: usize) -> bool {
        operand == 0
    }

    fn fold(&self, node: View) -> Option<Vec<Dim>> {
        node.contents(0).map(<[Dim]>::to_vec)
    }

    fn range(&self, node: View) -> Range {
        node.range_of(0)
    }

    fn adjoint<'e>(
        &self,
        call: &Call<'_, 'e>,
        _wrt: usize,
        s: Expr<'e>,
    ) -> Result<Expr<'e>, Error> {
        Ok(s.reshape_like(call.raw(0)?))
    }
}
