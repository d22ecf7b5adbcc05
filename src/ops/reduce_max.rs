//! `ReduceMax`. Elements that tie for the largest share evenly.

use super::{Call, Error, Kind, Operator, Range, reduce};
use crate::graph::{Expr, Type, View};

pub(super) const OPERATOR: &dyn Operator = &ReduceMax;

struct ReduceMax;

impl Operator for ReduceMax {
    fn names(&self) -> &'static [&'static str] {
        &["ReduceMax"]
    }

    fn infer(&self, node: View) -> Result<Vec<Type>, Error> {
        reduce::infer(node, &reduce::axes(node, 18)?, node.ty(0)?.elem)
    }

    fn kind(&self, _node: View) -> Result<Kind, Error> {
        Ok(Kind::Max)
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
        let x = call.x(0)?;
        let largest = x.equals(reduce::kept(call.node, &axes, call.y())?);
        let ties = largest.cast(s.ty().elem);
        Ok(reduce::kept(call.node, &axes, s)? * (ties / ties.sum(&axes, true)))
    }
}
