//! `Where`: the branch taken.

use super::{Call, Error, Kind, Operator};
use crate::graph::{Expr, Type, View};

pub(super) const OPERATOR: &dyn Operator = &Where;

struct Where;

impl Operator for Where {
    fn names(&self) -> &[&'static str] {
        &["Where"]
    }

    fn infer(&self, node: View) -> Result<Vec<Type>, Error> {
        node.elementwise(1)
    }

    fn kind(&self, _node: View) -> Result<Kind, Error> {
        Ok(Kind::Movement)
    }

    fn flows(&self, _node: View, operand: usize) -> bool {
        operand > 0
    }

    fn adjoint<'e>(
        &self,
        call: &Call<'_, 'e>,
        wrt: usize,
        s: Expr<'e>,
    ) -> Result<Expr<'e>, Error> {
        let condition = call.raw(0)?;
        let zero = call.emitter().scalar(s.ty().elem, 0.0);
        let taken =
            if wrt == 1 { s.where_(condition, zero) } else { zero.where_(condition, s) };
        taken.sum_to(call.raw(wrt)?)
    }
}
