//! `LeakyRelu`: x where x > 0, αx elsewhere.

use super::{Call, Error, Kind, Operator};
use crate::graph::{Expr, Type, View};

pub(super) const OPERATOR: &dyn Operator = &LeakyRelu;

struct LeakyRelu;

impl Operator for LeakyRelu {
    fn names(&self) -> &'static [&'static str] {
        &["LeakyRelu"]
    }

    fn infer(&self, node: View) -> Result<Vec<Type>, Error> {
        node.like_input()
    }

    fn kind(&self, _node: View) -> Result<Kind, Error> {
        Ok(Kind::Activation)
    }

    fn is_homogeneous(&self) -> bool {
        true
    }

    fn adjoint<'e>(
        &self,
        call: &Call<'_, 'e>,
        _wrt: usize,
        s: Expr<'e>,
    ) -> Result<Expr<'e>, Error> {
        let slope = call.node.float("alpha", 0.01)?;
        Ok(s.where_(call.x(0)?.greater(0.0), s * slope))
    }
}
