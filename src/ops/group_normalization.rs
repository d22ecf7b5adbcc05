//! `GroupNormalization`: statistics over groups of channels; its scales are per group before opset 21,
//! per channel since.

use super::{Call, Error, Kind, Operator, normalise, Role};
use crate::graph::{Expr, Type, View};

pub(super) const OPERATOR: &dyn Operator = &GroupNormalization;

struct GroupNormalization;

impl Operator for GroupNormalization {
    fn names(&self) -> &[&'static str] {
        &["GroupNormalization"]
    }

    fn since(&self, _name: &str) -> i64 {
        18
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
        let (x, groups) = (call.x(0)?, call.node.int("num_groups", 1)?);
        let epsilon = call.node.float("epsilon", 1e-5)?;
        let rank = call.node.rank(0)?;
        let grouped = |v: Expr<'e>| v.reshape(&[0, groups, -1]);
        let scale = call.x(1)?;
        let g = if call.node.opset() < 21 {
            grouped(s) * scale.unsqueeze(&[1])
        } else {
            let after: Vec<_> = (1..rank.saturating_sub(1)).collect();
            grouped(s * scale.unsqueeze(&after))
        };
        Ok(normalise::adjoint(grouped(x), g, &[2], epsilon, true).reshape_like(x))
    }
}
