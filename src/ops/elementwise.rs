//! What elementwise nonlinearities have in common.

use crate::ir::{Call, Degree, Error, Expr, Kind, Operator, Range, Type, View};

/// A function of each element.
pub struct Elementwise {
    /// The operator.
    pub name: &'static str,
    /// The operator set that it came with.
    pub since: i64,
    /// The sign of the result.
    pub range: Range,
    /// Whether the result is finite where the element is not.
    pub bounded: bool,
    /// `p` where `x f′(x) = p f(x)`.
    pub degree: Option<f64>,
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

    fn infer(&self, node: View) -> Result<Vec<Type>, Error> {
        node.like_input()
    }

    fn kind(&self, _node: View) -> Result<Kind, Error> {
        Ok(Kind::Activation)
    }

    fn flows(&self, _node: View, operand: usize) -> bool {
        operand == 0
    }

    fn range(&self, _node: View) -> Range {
        self.range
    }

    fn is_infinite(&self, _node: View, operand: bool) -> bool {
        operand && !self.bounded
    }

    fn degree(&self, _node: View) -> Option<Degree> {
        self.degree.map(Degree::of)
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
