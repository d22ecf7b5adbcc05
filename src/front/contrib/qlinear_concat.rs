//! `QLinearConcat`: quantised operands one after the other, each with a scale and a zero point of its own.

use super::Contrib;
use crate::ir::{Error, Expr, axis};

pub(super) const CONTRIB: Contrib = Contrib {
    names: &[("com.microsoft", "QLinearConcat")],
    since: None,
    body: |call| {
        let parts = (2..call.operands.len()).step_by(3).map(|at| call.numbers(at, 0));
        let parts = parts.collect::<Result<Vec<_>, _>>()?;
        let nothing = || Error::Operand { operand: 2, what: "is missing".into() };
        let rank = parts.first().ok_or_else(nothing)?.rank()?;
        let along = axis(call.int("axis", 0)?, rank)?;
        let y = Expr::concat(&parts, along).ok_or_else(nothing)?;
        call.quantised(y, [0, 1], 2)
    },
};
