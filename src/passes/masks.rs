//! `masks`: signs and selections by multiplication.
//!
//! Runtimes have vectorised kernels for arithmetic, and none for `Sign` and `Where`: on ONNX Runtime's
//! CPU, over 1.2 million elements and with two threads, `Mul` takes 0.3 ms, `Sign` 2.6 and `Where`
//! behind a comparison 8 to 15.

use super::Pass;
use crate::ir::Lowering;

pub(super) struct Masks;

impl Pass for Masks {
    fn name(&self) -> &'static str {
        "masks"
    }

    fn lowering(&self, lowering: &mut Lowering) {
        lowering.masks = true;
    }
}
