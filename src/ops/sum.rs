//! `Sum` and `Mean`, of any number of operands.

use crate::ir::{Call, Error, Expr, Kind, NodeRef, Operator, Sign, Type};

pub(super) const OPERATOR: &dyn Operator = &Sum;

struct Sum;

impl Operator for Sum {
    fn names(&self) -> &[&'static str] {
        &["Sum", "Mean"]
    }

    fn arity(&self) -> usize {
        usize::MAX
    }

    fn infer(&self, node: NodeRef) -> Result<Vec<Type>, Error> {
        node.elementwise(0)
    }

    fn kind(&self, node: NodeRef) -> Result<Kind, Error> {
        // As `Add`: with constants it is a shift, which a mean scales too.
        Ok(if node.active_count() == 1 && node.inputs().len() > 1 {
            Kind::Affine
        } else {
            Kind::Sum
        })
    }

    fn sign(&self, _node: NodeRef) -> Sign {
        Sign::AsOperands
    }

    fn adjoint<'e>(&self, call: &Call<'_, 'e>, wrt: usize, s: Expr<'e>) -> Result<Expr<'e>, Error> {
        let s = if call.op_type()? == "Mean" { s / call.arity() as f64 } else { s };
        s.sum_to(call.raw(wrt)?)
    }
}
