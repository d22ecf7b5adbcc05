//! `Expand`: broadcasting to a shape.

use crate::ir::{
    Array, Call, Error, Evaluation, Expr, Kind, NodeRef, Operator, Sign, Type, broadcast,
};

pub(super) const OPERATOR: &dyn Operator = &Expand;

struct Expand;

impl Operator for Expand {
    fn names(&self) -> &[&'static str] {
        &["Expand"]
    }

    fn infer(&self, node: NodeRef) -> Result<Vec<Type>, Error> {
        let x = node.ty(0)?;
        let Some(shape) = node.contents(1) else {
            return Ok(vec![Type { elem: x.elem, shape: None }]);
        };
        let target = Type::new(x.elem, shape.to_vec());
        let shape = broadcast([x, &target]).map_err(|(a, b)| Error::Shapes {
            what: format!("sizes {a} and {b} do not broadcast"),
        })?;
        Ok(vec![Type { elem: x.elem, shape }])
    }

    fn kind(&self, _node: NodeRef) -> Result<Kind, Error> {
        Ok(Kind::Movement)
    }

    fn flows(&self, _node: NodeRef, operand: usize) -> bool {
        operand == 0
    }

    fn eval(&self, of: &Evaluation) -> Option<Array> {
        of.x(0)?.broadcast(of.shape)
    }

    fn sign(&self, node: NodeRef) -> Sign {
        node.sign_of(0)
    }

    fn adjoint<'e>(&self, call: &Call<'_, 'e>, wrt: usize, s: Expr<'e>) -> Result<Expr<'e>, Error> {
        s.sum_to(call.raw(wrt)?)
    }
}
