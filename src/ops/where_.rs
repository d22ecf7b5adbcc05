//! `Where`: the branch taken.

use crate::ir::{Array, Call, Error, Evaluation, Expr, Kind, NodeRef, Operator, Type};

pub(super) const OPERATOR: &dyn Operator = &Where;

struct Where;

impl Operator for Where {
    fn names(&self) -> &[&'static str] {
        &["Where"]
    }

    fn arity(&self) -> usize {
        3
    }

    fn infer(&self, node: NodeRef) -> Result<Vec<Type>, Error> {
        node.elementwise(1)
    }

    fn kind(&self, _node: NodeRef) -> Result<Kind, Error> {
        Ok(Kind::Movement)
    }

    fn eval(&self, of: &Evaluation) -> Option<Array> {
        // The taken ones of the first operand, and those of the second elsewhere.
        let taken = of.x(0)?.broadcast(of.shape)?;
        let known = taken.ints()?.iter().map(|d| d.known());
        let from: Vec<_> = known.map(|n| Some(usize::from(n? == 0))).collect::<Option<_>>()?;
        Array::choose(&from, &[&of.x(1)?.broadcast(of.shape)?, &of.x(2)?.broadcast(of.shape)?])
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
