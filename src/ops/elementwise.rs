//! What elementwise nonlinearities have in common.

use crate::ir::{Call, Error, Euler, Expr, Kind, NodeRef, Operator, Sign, Type};

/// A function of each element.
pub struct Elementwise {
    /// The operator.
    pub name: &'static str,
    /// The operator set that it came with.
    pub since: i64,
    /// The sign of the result.
    pub sign: Sign,
    /// Whether the result is finite where the element is not.
    pub bounded: bool,
    /// `p` where `x f′(x) = p f(x)`.
    pub euler: Option<f64>,
    /// `s ⊙ f′(x)`
    pub adjoint: for<'e> fn(&Call<'_, 'e>, Expr<'e>) -> Result<Expr<'e>, Error>,
}

impl Operator for Elementwise {
    fn names(&self) -> &[&'static str] {
        std::slice::from_ref(&self.name)
    }

    fn since(&self, _name: &str) -> i64 {
        self.since
    }

    fn infer(&self, node: NodeRef) -> Result<Vec<Type>, Error> {
        node.like_input()
    }

    fn kind(&self, _node: NodeRef) -> Result<Kind, Error> {
        Ok(Kind::Activation)
    }

    fn flows(&self, _node: NodeRef, operand: usize) -> bool {
        operand == 0
    }

    fn sign(&self, _node: NodeRef) -> Sign {
        self.sign
    }

    fn may_be_infinite(&self, _node: NodeRef, operand: bool) -> bool {
        operand && !self.bounded
    }

    fn euler(&self, _node: NodeRef) -> Option<Euler> {
        self.euler.map(Euler::of)
    }

    fn adjoint<'e>(
        &self,
        call: &Call<'_, 'e>,
        _wrt: usize,
        s: Expr<'e>,
    ) -> Result<Expr<'e>, Error> {
        (self.adjoint)(call, s)
    }
}
