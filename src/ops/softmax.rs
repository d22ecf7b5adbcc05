//! `Softmax`, with the axis semantics of every opset.

use crate::ir::{Call, Detached, Error, Expr, Kind, NodeRef, Operator, Sign, Type};

pub(super) const OPERATOR: &dyn Operator = &Softmax;

struct Softmax;

impl Operator for Softmax {
    fn names(&self) -> &[&'static str] {
        &["Softmax"]
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

    fn sign(&self, _node: NodeRef) -> Sign {
        Sign::NonNegative
    }

    fn may_be_infinite(&self, _node: NodeRef, _operand: bool) -> bool {
        false
    }

    /// Of what is all masked, it is no number.
    fn is_singular(&self, _node: NodeRef) -> bool {
        true
    }

    /// `y_j (|x_j| (1 − y_j) + Σ_{i≠j} |x_i| y_i)`
    fn magnitudes<'e>(&self, call: &Call<'_, 'e>) -> Result<Expr<'e>, Error> {
        let y = call.y();
        let size = y * deviation(call.x(0)?, y, &axes(call.node)?);
        // What is masked by −∞ has no part: 0 · ∞ = 0.
        Ok(size.where_or(y.greater(0.0), 0.0))
    }

    /// `y ⊙ (s − Σ s ⊙ y)`; `y ⊙ s` where the sum of the exponentials is detached.
    fn adjoint<'e>(
        &self,
        call: &Call<'_, 'e>,
        _wrt: usize,
        s: Expr<'e>,
    ) -> Result<Expr<'e>, Error> {
        // Where all is masked by −∞, the result is no number.
        let y = call.y();
        let y = y.where_or(y.greater(0.0), 0.0);
        if call.detached() != Detached::Nothing {
            return Ok(y * s);
        }
        Ok(y * (s - (s * y).sum(&axes(call.node)?, true)))
    }
}

/// `Σ_i |x_i (δ_ij − p_i)|` for probabilities `p`, without a difference of large numbers.
pub(super) fn deviation<'e>(x: Expr<'e>, p: Expr<'e>, axes: &[usize]) -> Expr<'e> {
    let expected = (x.abs() * p).where_or(p.greater(0.0), 0.0);
    let others = expected.sum(axes, true) - expected;
    x.abs() * (1.0 - p) + others.relu()
}

/// The axes that a softmax is over: one since opset 13, all from one on before.
pub(super) fn axes(node: NodeRef) -> Result<Vec<usize>, Error> {
    let rank = node.rank(0)?;
    Ok(if node.opset() < 13 {
        (node.axis("axis", 1, rank)?..rank).collect()
    } else {
        vec![node.axis("axis", -1, rank)?]
    })
}
