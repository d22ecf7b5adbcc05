//! `MeanVarianceNormalization`: (x − mean) / √variance over axes.

use super::{Call, Error, Kind, Operator, normalise};
use crate::graph::{Expr, Type, View, axis};

pub(super) const OPERATOR: &dyn Operator = &MeanVarianceNormalization;

struct MeanVarianceNormalization;

impl Operator for MeanVarianceNormalization {
    fn names(&self) -> &[&'static str] {
        &["MeanVarianceNormalization"]
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
        let rank = call.node.rank(0)?;
        let axes = call.node.ints("axes")?.unwrap_or(&[0, 2, 3]);
        let mut axes = axes.iter().map(|&a| axis(a, rank)).collect::<Result<Vec<_>, _>>()?;
        axes.sort_unstable();
        Ok(normalise::adjoint(call.x(0)?, s, &axes, 1e-18, true))
    }
}
