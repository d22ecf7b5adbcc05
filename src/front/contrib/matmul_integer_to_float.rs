//! `MatMulIntegerToFloat` and `DynamicQuantizeMatMul`: a product of quantised matrices that is not quantised,
//! and a bias. The latter quantises its first operand itself.

use super::{Contrib, quantised::requantised};

pub(super) const CONTRIB: Contrib = Contrib {
    names: &[("com.microsoft", "MatMulIntegerToFloat"), ("com.microsoft", "DynamicQuantizeMatMul")],
    since: None,
    body: |call| {
        // Scales of the second matrix lie along its columns.
        let last = call.x(1)?.rank()?.saturating_sub(1);
        let (a, b, bias) = if call.name == "MatMulIntegerToFloat" {
            (call.numbers_of(0, [2, 4], 0)?, call.numbers_of(1, [3, 5], last)?, call.get(6))
        } else {
            (requantised(call.x(0)?), call.numbers_of(1, [2, 3], last)?, call.get(4))
        };
        let y = a.matmul(b);
        Ok(vec![Some(bias.map_or(y, |bias| y + bias))])
    },
};
