//! `Neg`: −x.

use crate::ir::{Array, Call, Error, Evaluation, Expr, Kind, NodeRef, Operator, Type};

pub(super) const OPERATOR: &dyn Operator = &Neg;

struct Neg;

impl Operator for Neg {
    fn names(&self) -> &[&'static str] {
        &["Neg"]
    }

    fn infer(&self, node: NodeRef) -> Result<Vec<Type>, Error> {
        node.like_input()
    }

    fn kind(&self, _node: NodeRef) -> Result<Kind, Error> {
        Ok(Kind::Affine)
    }

    fn is_elementwise(&self, _node: NodeRef) -> bool {
        true
    }

    fn eval(&self, of: &Evaluation) -> Option<Array> {
        Some(of.x(0)?.map(|n| n.map(false, i64::wrapping_neg), |v| -v))
    }

    fn adjoint<'e>(
        &self,
        _call: &Call<'_, 'e>,
        _wrt: usize,
        s: Expr<'e>,
    ) -> Result<Expr<'e>, Error> {
        Ok(-s)
    }
}
