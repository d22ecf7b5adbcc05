//! What arithmetic of two operands has in common.

use super::elementwise::guarded;
use crate::ir::{
    Affine, Array, Call, Constants, Dim, Error, Evaluation, Expr, Kind, NodeRef, Operator, Sign,
    Type, Value,
};

/// An operation of two operands that broadcast.
pub struct Arithmetic {
    /// The operator.
    pub name: &'static str,
    /// Its kind where both operands are activations.
    pub both: Kind,
    /// The sign of the result.
    pub sign: Sign,
    /// The first and the second operand that leave the other as it is, sizes known at run time too.
    pub neutral: [Option<i64>; 2],
    /// The operation on integers.
    pub ints: fn(i64, i64) -> Option<i64>,
    /// The operation on floating-point numbers.
    pub floats: fn(f64, f64) -> f64,
    /// What it does to an activation beside a constant; whether the activation comes first.
    pub affine: for<'e> fn(Expr<'e>, bool) -> Affine<'e>,
    /// `(∂y/∂x)ᵀ s`, before broadcasting is undone.
    pub adjoint: for<'e> fn(&Call<'_, 'e>, usize, Expr<'e>) -> Result<Expr<'e>, Error>,
}

impl Operator for Arithmetic {
    fn names(&self) -> &[&'static str] {
        std::slice::from_ref(&self.name)
    }

    fn arity(&self) -> usize {
        2
    }

    fn infer(&self, node: NodeRef) -> Result<Vec<Type>, Error> {
        node.elementwise(0)
    }

    fn kind(&self, node: NodeRef) -> Result<Kind, Error> {
        Ok(node.binary(self.both))
    }

    fn sign(&self, _node: NodeRef) -> Sign {
        self.sign
    }

    fn is_singular(&self, node: NodeRef) -> bool {
        let regular = || node.constant_floats(1).is_some_and(|c| c.iter().all(|c| c.abs() > 0.0));
        self.both == Kind::Quotient && !regular()
    }

    fn is_elementwise(&self, _node: NodeRef) -> bool {
        true
    }

    fn eval(&self, of: &Evaluation) -> Option<Array> {
        let [first, second] = self.neutral;
        let ints = |a, b| match (a, b) {
            (Dim::Known(a), Dim::Known(b)) => (self.ints)(a, b).map_or(Dim::Unknown, Dim::Known),
            (a, Dim::Known(b)) if second == Some(b) => a,
            (Dim::Known(a), b) if first == Some(a) => b,
            _ => Dim::Unknown,
        };
        of.x(0)?.zip(of.x(1)?, of.shape, ints, self.floats)
    }

    /// `c / x` is neither a shift nor a scale.
    fn constants(&self, node: NodeRef) -> Option<Constants> {
        let beside = node.binary(self.both) == Kind::Affine;
        let below = self.both == Kind::Quotient && node.is_active(1);
        (beside && !below).then_some(Constants::Broadcast)
    }

    fn affine<'e>(&self, call: &Call<'_, 'e>, x: Value) -> Result<Affine<'e>, Error> {
        Ok((self.affine)(call.beside(x)?, call.node.input(0) == Some(x)))
    }

    /// Of a product, its only term; of a sum or a difference, both.
    fn magnitudes<'e>(&self, call: &Call<'_, 'e>) -> Result<Expr<'e>, Error> {
        Ok(match self.both {
            Kind::Product => call.y().abs(),
            _ => call.x(0)?.abs() + call.x(1)?.abs(),
        })
    }

    fn adjoint<'e>(&self, call: &Call<'_, 'e>, wrt: usize, s: Expr<'e>) -> Result<Expr<'e>, Error> {
        let g = (self.adjoint)(call, wrt, s)?;
        let g = if self.is_singular(call.node) { guarded(g, s) } else { g };
        g.sum_to(call.raw(wrt)?)
    }
}
