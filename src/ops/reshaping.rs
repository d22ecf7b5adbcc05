//! What operators that only change the shape have in common.

use crate::ir::{Array, Call, Error, Evaluation, Expr, Kind, NodeRef, Operator, Sign, Type};

/// The same elements in another shape.
pub struct Reshaping {
    /// The operator.
    pub name: &'static str,
    /// The new type.
    pub infer: fn(NodeRef) -> Result<Type, Error>,
}

impl Operator for Reshaping {
    fn names(&self) -> &[&'static str] {
        std::slice::from_ref(&self.name)
    }

    fn infer(&self, node: NodeRef) -> Result<Vec<Type>, Error> {
        Ok(vec![(self.infer)(node)?])
    }

    fn kind(&self, _node: NodeRef) -> Result<Kind, Error> {
        Ok(Kind::Movement)
    }

    fn flows(&self, _node: NodeRef, operand: usize) -> bool {
        operand == 0
    }

    fn eval(&self, of: &Evaluation) -> Option<Array> {
        of.x(0)?.reshaped(of.shape)
    }

    fn sign(&self, node: NodeRef) -> Sign {
        node.sign_of(0)
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
