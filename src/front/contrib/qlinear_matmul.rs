//! `QLinearMatMul`: a product of quantised matrices. Scales of the second lie along its columns.

use super::Contrib;

pub(super) const CONTRIB: Contrib = Contrib {
    names: &[("", "QLinearMatMul")],
    since: Some(10),
    body: |call| {
        let last = call.x(3)?.rank()?.saturating_sub(1);
        let y = call.numbers(0, 0)?.matmul(call.numbers(3, last)?);
        call.quantised(y, [6, 7], 0)
    },
};
