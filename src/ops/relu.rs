//! `Relu`: max(x, 0), with derivative 0 at 0. Its derivative is read off the result, which survives
//! where a runtime fuses the operator with the layer before it.

use super::{Call, Error, Kind, Operator, Range};
use crate::graph::{Expr, Type, View};

pub(super) const OPERATOR: &dyn Operator = &Relu;

struct Relu;

impl Operator for Relu {
    fn names(&self) -> &'static [&'static str] {
        &["Relu"]
    }

    fn infer(&self, node: View) -> Result<Vec<Type>, Error> {
        node.like_input()
    }

    fn kind(&self, _node: View) -> Result<Kind, Error> {
        Ok(Kind::Activation)
    }

    fn range(&self, _node: View) -> Range {
        Range::NonNegative
    }

    fn is_homogeneous(&self) -> bool {
        true
    }

    fn adjoint<'e>(
        &self,
        call: &Call<'_, 'e>,
        _wrt: usize,
        s: Expr<'e>,
    ) -> Result<Expr<'e>, Error> {
        Ok(s * call.y().sign())
    }
}
