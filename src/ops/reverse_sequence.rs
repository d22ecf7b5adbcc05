//! `ReverseSequence`, its own adjoint.

use crate::ir::{Call, Error, Expr, Kind, NodeRef, Operator, Sign, Type};

pub(super) const OPERATOR: &dyn Operator = &ReverseSequence;

struct ReverseSequence;

impl Operator for ReverseSequence {
    fn names(&self) -> &[&'static str] {
        &["ReverseSequence"]
    }

    fn since(&self, _name: &str) -> i64 {
        10
    }

    fn infer(&self, node: NodeRef) -> Result<Vec<Type>, Error> {
        node.like_input()
    }

    fn kind(&self, _node: NodeRef) -> Result<Kind, Error> {
        Ok(Kind::Movement)
    }

    fn flows(&self, _node: NodeRef, operand: usize) -> bool {
        operand == 0
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
        let attributes = call.node.attributes().to_vec();
        Ok(call.emitter().emit("ReverseSequence", &[Some(s), Some(call.raw(1)?)], attributes))
    }
}
