//! `LpNormalization`: x / ‖x‖ along an axis.

use super::{Call, Error, Kind, Operator, normalise};
use crate::graph::{Expr, Type, View};

pub(super) const OPERATOR: &dyn Operator = &LpNormalization;

struct LpNormalization;

impl Operator for LpNormalization {
    fn names(&self) -> &[&'static str] {
        &["LpNormalization"]
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

    fn adjoint<'e>(
        &self,
        call: &Call<'_, 'e>,
        _wrt: usize,
        s: Expr<'e>,
    ) -> Result<Expr<'e>, Error> {
        let (x, y) = (call.x(0)?, call.y());
        let axes = [call.node.axis("axis", -1, call.node.rank(0)?)?];
        let (size, slope) = match call.node.int("p", 2)? {
            1 => (x.abs().sum(&axes, true), x.sign()),
            _ => ((x * x).sum(&axes, true).sqrt(), y),
        };
        let g = s - slope * (s * y).sum(&axes, true);
        Ok((g / size).where_or(size.greater(0.0), 0.0))
    }
}
