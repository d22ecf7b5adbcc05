//! `InstanceNormalization`, over the spatial axes.

use super::{Call, Error, Kind, Operator, normalise, Role};
use crate::graph::{Expr, Type, View};

pub(super) const OPERATOR: &dyn Operator = &InstanceNormalization;

struct InstanceNormalization;

impl Operator for InstanceNormalization {
    fn names(&self) -> &[&'static str] {
        &["InstanceNormalization"]
    }

    fn since(&self, _name: &str) -> i64 {
        9
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
        let axes: Vec<_> = (2..call.node.rank(0)?).collect();
        let after: Vec<_> = (1..=axes.len()).collect();
        let epsilon = call.node.float("epsilon", 1e-5)?;
        Ok(normalise::adjoint(call.x(0)?, s * call.x(1)?.unsqueeze(&after), &axes, epsilon, true))
    }
}
