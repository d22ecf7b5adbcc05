//! `Where`: the branch taken.

use crate::ir::{Call, Dim, Error, Expr, Kind, NodeRef, Operator, Type};

pub(super) const OPERATOR: &dyn Operator = &Where;

struct Where;

impl Operator for Where {
    fn names(&self) -> &[&'static str] {
        &["Where"]
    }

    fn infer(&self, node: NodeRef) -> Result<Vec<Type>, Error> {
        node.elementwise(1)
    }

    fn kind(&self, _node: NodeRef) -> Result<Kind, Error> {
        Ok(Kind::Movement)
    }

    fn fold(&self, node: NodeRef) -> Option<Vec<Dim>> {
        let (taken, a, b) = (node.constant_ints(0)?, node.contents(1)?, node.contents(2)?);
        let lengths = [taken.len(), a.len(), b.len()];
        let length = lengths.into_iter().find(|&n| n != 1).unwrap_or(1);
        let fits = |n: usize| n == length || n == 1;
        let at = |n: usize, i: usize| if n == 1 { 0 } else { i };
        let choose = |i| match taken[at(taken.len(), i)] {
            0 => b[at(b.len(), i)],
            _ => a[at(a.len(), i)],
        };
        (fits(taken.len()) && fits(a.len()) && fits(b.len()))
            .then(|| (0..length).map(choose).collect())
    }

    fn flows(&self, _node: NodeRef, operand: usize) -> bool {
        operand > 0
    }

    fn adjoint<'e>(&self, call: &Call<'_, 'e>, wrt: usize, s: Expr<'e>) -> Result<Expr<'e>, Error> {
        let condition = call.raw(0)?;
        let zero = call.emitter().scalar(s.ty().elem, 0.0);
        let taken = if wrt == 1 { s.where_(condition, zero) } else { zero.where_(condition, s) };
        taken.sum_to(call.raw(wrt)?)
    }
}
