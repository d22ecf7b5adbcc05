//! `CumSum`, whose adjoint sums from the other end.

use crate::ir::{Call, Error, Expr, Kind, NodeRef, Operator, Sign, Type};
use crate::onnx::attribute::int;

pub(super) const OPERATOR: &dyn Operator = &CumSum;

struct CumSum;

impl Operator for CumSum {
    fn names(&self) -> &[&'static str] {
        &["CumSum"]
    }

    fn attributes(&self) -> &[&'static str] {
        &["exclusive", "reverse"]
    }

    fn arity(&self) -> usize {
        2
    }

    fn since(&self, _name: &str) -> i64 {
        11
    }

    fn infer(&self, node: NodeRef) -> Result<Vec<Type>, Error> {
        node.like_input()
    }

    fn kind(&self, _node: NodeRef) -> Result<Kind, Error> {
        Ok(Kind::Sum)
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
        let attributes = vec![
            int("exclusive", call.node.flag("exclusive", false)?.into()),
            int("reverse", (!call.node.flag("reverse", false)?).into()),
        ];
        Ok(call.emitter().emit("CumSum", &[Some(s), Some(call.raw(1)?)], attributes))
    }
}
