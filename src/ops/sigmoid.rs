//! `Sigmoid`: y = 1 / (1 + e⁻ˣ), with derivative y (1 − y).

use super::{Call, Error, Kind, Operator, Range};
use crate::graph::{Expr, Type, View};

pub(super) const OPERATOR: &dyn Operator = &Sigmoid;

struct Sigmoid;

impl Operator for Sigmoid {
    fn names(&self) -> &'static [&'static str] {
        &["Sigmoid"]
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

    fn adjoint<'e>(
        &self,
        call: &Call<'_, 'e>,
        _wrt: usize,
        s: Expr<'e>,
    ) -> Result<Expr<'e>, Error> {
        let y = call.y();
        Ok(s * (y - y * y))
    }
}
