//! `Exp`: eˣ.

use super::{Call, Error, Kind, Operator, Range};
use crate::graph::{Expr, Type, View};

pub(super) const OPERATOR: &dyn Operator = &Exp;

struct Exp;

impl Operator for Exp {
    fn names(&self) -> &'static [&'static str] {
        &["Exp"]
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
        Ok(s * call.y())
    }
}
