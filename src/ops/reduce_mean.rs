//! `ReduceMean`.

use super::{Call, Error, Kind, Operator, Range, reduce};
use crate::graph::{Expr, Type, View};

pub(super) const OPERATOR: &dyn Operator = &ReduceMean;

struct ReduceMean;

impl Operator for ReduceMean {
    fn names(&self) -> &'static [&'static str] {
        &["ReduceMean"]
    }

    fn infer(&self, node: View) -> Result<Vec<Type>, Error> {
        reduce::infer(node, &reduce::axes(node, 18)?, node.ty(0)?.elem)
    }

    fn kind(&self, _node: View) -> Result<Kind, Error> {
        Ok(Kind::Sum)
    }

    fn range(&self, _node: View) -> Range {
        Range::AsOperands
    }

    fn adjoint<'e>(
        &self,
        call: &Call<'_, 'e>,
        _wrt: usize,
        s: Expr<'e>,
    ) -> Result<Expr<'e>, Error> {
        let axes = reduce::axes(call.node, 18)?;
        let s = reduce::mean(s, call.raw(0)?, &axes);
        Ok(reduce::kept(call.node, &axes, s)?.expand_like(call.raw(0)?))
    }
}
