//! `CastLike`, of whose second operand only the type counts.

use super::cast::between;
use crate::ir::{Array, Call, Error, Evaluation, Expr, Kind, NodeRef, Operator, Sign, Type};

pub(super) const OPERATOR: &dyn Operator = &CastLike;

struct CastLike;

impl Operator for CastLike {
    fn names(&self) -> &[&'static str] {
        &["CastLike"]
    }

    fn attributes(&self) -> &[&'static str] {
        &["round_mode", "saturate"]
    }

    fn arity(&self) -> usize {
        2
    }

    fn since(&self, _name: &str) -> i64 {
        15
    }

    fn infer(&self, node: NodeRef) -> Result<Vec<Type>, Error> {
        node.like_input_of(node.ty(1)?.elem)
    }

    fn kind(&self, node: NodeRef) -> Result<Kind, Error> {
        Ok(between(node.ty(0)?, node.ty(1)?))
    }

    fn flows(&self, _node: NodeRef, operand: usize) -> bool {
        operand == 0
    }

    fn depends(&self, node: NodeRef) -> bool {
        node.is_active(0)
    }

    fn eval(&self, of: &Evaluation) -> Option<Array> {
        of.x(0).cloned()
    }

    fn sign(&self, node: NodeRef) -> Sign {
        node.sign_of(0)
    }

    fn adjoint<'e>(&self, call: &Call<'_, 'e>, wrt: usize, s: Expr<'e>) -> Result<Expr<'e>, Error> {
        Ok(s.cast(call.node.ty(wrt)?.relevance()))
    }
}
