//! `RMSNormalization`: x / √(mean(x²) + ε), over the axes from one on.

use super::{Call, Error, Kind, Operator, normalise, Role};
use crate::graph::{Expr, Type, View};

pub(super) const OPERATOR: &dyn Operator = &RMSNormalization;

struct RMSNormalization;

impl Operator for RMSNormalization {
    fn names(&self) -> &[&'static str] {
        &["RMSNormalization"]
    }

    fn since(&self, _name: &str) -> i64 {
        23
    }

    fn infer(&self, node: View) -> Result<Vec<Type>, Error> {
        node.like_input()
    }

    fn kind(&self, node: View) -> Result<Kind, Error> {
        normalise::kind(node)
    }

    fn flows(&self, _node: View, operand: usize) -> bool {
        operand == 0
    }

    fn role(&self, operand: usize) -> Option<Role> {
        Some(if operand == 2 { Role::Bias } else { Role::Weight })
    }

    fn adjoint<'e>(
        &self,
        call: &Call<'_, 'e>,
        _wrt: usize,
        s: Expr<'e>,
    ) -> Result<Expr<'e>, Error> {
        let rank = call.node.rank(0)?;
        let axes: Vec<_> = (call.node.axis("axis", -1, rank)?..rank).collect();
        let epsilon = call.node.float("epsilon", 1e-5)?;
        Ok(normalise::adjoint(call.x(0)?, s * call.x(1)?, &axes, epsilon, false))
    }
}
