//! What elementwise nonlinearities have in common.

use super::{Call, Error, Kind, Operator, Range};
use crate::graph::{Expr, Type, View};

/// A function of each element.
pub struct Elementwise {
    /// The operator.
    pub name: &'static str,
    /// The sign of the result.
    pub range: Range,
    /// Whether `x f′(x) = f(x)`.
    pub homogeneous: bool,
    /// `s ⊙ f′(x)`
    pub adjoint: for<'e> fn(&Call<'_, 'e>, Expr<'e>) -> Result<Expr<'e>, Error>,
}

impl Operator for Elementwise {
    fn names(&self) -> &[&'static str] {
        std::slice::from_ref(&self.name)
    }

    fn infer(&self, node: View) -> Result<Vec<Type>, Error> {
        node.like_input()
    }

    fn kind(&self, _node: View) -> Result<Kind, Error> {
        Ok(Kind::Activation)
    }

    fn range(&self, _node: View) -> Range {
        self.range
    }

    fn is_homogeneous(&self) -> bool {
        self.homogeneous
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
