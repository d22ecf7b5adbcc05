//! `LogSoftmax`.

use super::softmax::{axes, deviation};
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

    /// Of what is all masked, it is no number.
    fn is_singular(&self, _node: NodeRef) -> bool {
        true
    }

    /// `|x_j| (1 − p_j) + Σ_{i≠j} |x_i| p_i` with `p = eʸ`
    fn magnitudes<'e>(&self, call: &Call<'_, 'e>) -> Result<Expr<'e>, Error> {
        Ok(deviation(call.x(0)?, call.y().exp(), &axes(call.node)?))
    }

    /// `s − eʸ Σ s`
    fn adjoint<'e>(
        &self,
        call: &Call<'_, 'e>,
        _wrt: usize,
        s: Expr<'e>,
    ) -> Result<Expr<'e>, Error> {
        // Where all is masked by −∞, the result is no number.
        let p = call.y().exp();
        Ok(s - p.where_or(p.greater(0.0), 0.0) * s.sum(&axes(call.node)?, true))
    }
}
