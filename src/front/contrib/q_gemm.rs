//! `QGemm`: a `Gemm` of quantised operands, with a summand in units of α and their scales. Without a scale
//! for it, the result is not quantised.

use super::{Contrib, quantised::single};
use crate::onnx::attribute::{float, int};

pub(super) const CONTRIB: Contrib = Contrib {
    names: &[("com.microsoft", "QGemm")],
    since: None,
    body: |call| {
        let alpha = call.float("alpha")?.unwrap_or(1.0);
        let (left, right) = (call.int("transA", 0)?, call.int("transB", 0)?);
        // Scales of the second matrix lie along its columns, which are rows where it is transposed.
        let (a, b) = (call.numbers(0, 0)?, call.numbers(3, usize::from(right == 0))?);
        let (of_a, of_b) = (single(call.x(1)?), single(call.x(4)?));
        let c = call.get(6).map(|c| c.cast(of_a.ty().elem) * (of_a * of_b * alpha));
        let attributes =
            vec![float("alpha", alpha as f32), int("transA", left), int("transB", right)];
        let y = call.emitter.emit("Gemm", &[Some(a), Some(b), c], attributes);
        match call.get(7) {
            Some(_) => call.quantised(y, [7, 8], 0),
            None => Ok(vec![Some(y)]),
        }
    },
};
