//! `QLinearAdd` and `QLinearMul`: a sum and a product of quantised operands.

use super::Contrib;

pub(super) const CONTRIB: Contrib = Contrib {
    names: &[("com.microsoft", "QLinearAdd"), ("com.microsoft", "QLinearMul")],
    since: None,
    body: |call| {
        let (a, b) = (call.numbers(0, 0)?, call.numbers(3, 0)?);
        let y = if call.name == "QLinearAdd" { a + b } else { a * b };
        call.quantised(y, [6, 7], 0)
    },
};
