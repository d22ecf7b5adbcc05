//! `LogSoftmax`.

use super::softmax::axes;
use crate::ir::{Call, Error, Expr, Kind, NodeRef, Operator, Type};

pub(super) const OPERATOR: &dyn Operator = &LogSoftmax;

struct LogSoftmax;

impl Operator for LogSoftmax {
    fn names(&self) -> &[&'static str] {
        &["LogSoftmax"]
    }

    fn attributes(&self) -> &[&'static str] {
        &["axis"]
    }

    fn infer(&self, node: NodeRef) -> Result<Vec<Type>, Error> {
        node.like_input()
    }

    fn kind(&self, _node: NodeRef) -> Result<Kind, Error> {
        Ok(Kind::Softmax)
    }

    /// `s − eʸ Σ s`
    fn adjoint<'e>(
        &self,
        call: &Call<'_, 'e>,
        _wrt: usize,
        s: Expr<'e>,
    ) -> Result<Expr<'e>, Error> {
        Ok(s - call.y().exp() * s.sum(&axes(call.node)?, true))
    }
}
