//! `Sign` and the roundings: steps, through which nothing flows.

use super::{Call, Error, Kind, Operator};
use crate::graph::{Expr, Type, View};

pub(super) const OPERATOR: &dyn Operator = &Sign;

struct Sign;

impl Operator for Sign {
    fn names(&self) -> &'static [&'static str] {
        &["Sign", "Round", "Floor", "Ceil"]
    }

    fn infer(&self, node: View) -> Result<Vec<Type>, Error> {
        node.like_input()
    }

    fn kind(&self, _node: View) -> Result<Kind, Error> {
        Ok(Kind::Stop)
    }

    fn adjoint<'e>(
        &self,
        call: &Call<'_, 'e>,
        _wrt: usize,
        _s: Expr<'e>,
    ) -> Result<Expr<'e>, Error> {
        Err(call.no_derivative())
    }
}
