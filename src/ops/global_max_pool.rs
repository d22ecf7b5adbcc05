//! `GlobalMaxPool`: the largest over the spatial axes.

use super::{global_average_pool::global, max_pool::to_first_largest};
use crate::ir::{Call, Error, Expr, Kind, NodeRef, Operator, Sign, Type};

pub(super) const OPERATOR: &dyn Operator = &GlobalMaxPool;

struct GlobalMaxPool;

impl Operator for GlobalMaxPool {
    fn names(&self) -> &[&'static str] {
        &["GlobalMaxPool"]
    }

    fn infer(&self, node: NodeRef) -> Result<Vec<Type>, Error> {
        global(node)
    }

    fn kind(&self, _node: NodeRef) -> Result<Kind, Error> {
        Ok(Kind::Max)
    }

    fn sign(&self, _node: NodeRef) -> Sign {
        Sign::AsOperands
    }

    fn adjoint<'e>(
        &self,
        call: &Call<'_, 'e>,
        _wrt: usize,
        s: Expr<'e>,
    ) -> Result<Expr<'e>, Error> {
        let x = call.x(0)?;
        let routed = to_first_largest(x.reshape(&[0, 0, -1]), s.reshape(&[0, 0, 1]))?;
        Ok(routed.reshape_like(x))
    }
}
