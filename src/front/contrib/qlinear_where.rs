//! `QLinearWhere`: one of two quantised operands, element by element.

use super::Contrib;

pub(super) const CONTRIB: Contrib = Contrib {
    names: &[("com.microsoft", "QLinearWhere")],
    since: None,
    body: |call| {
        let y = call.numbers(1, 0)?.where_(call.x(0)?, call.numbers(4, 0)?);
        call.quantised(y, [7, 8], 1)
    },
};
