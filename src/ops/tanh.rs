//! `Tanh`, with derivative 1 − y².

use super::{Call, Error, Kind, Operator};
use crate::graph::{Expr, Type, View};

pub(super) const OPERATOR: &dyn Operator = &Tanh;

struct Tanh;

impl Operator for Tanh {
    fn names(&self) -> &'static [&'static str] {
        &["Tanh"]
    }

    fn infer(&self, node: View) -> Result<Vec<Type>, Error> {
        node.like_input()
    }

    fn kind(&self, _node: View) -> Result<Kind, Error> {
        Ok(Kind::Activation)
    }

    fn adjoint<'e>(
        &self,
        call: &Call<'_, 'e>,
        _wrt: usize,
        s: Expr<'e>,
    ) -> Result<Expr<'e>, Error> {
        let y = call.y();
        Ok(s - s * y * y)
    }
}
