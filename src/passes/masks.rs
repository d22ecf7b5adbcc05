//! `masks`: signs and selections by multiplication.
//!
//! Runtimes have vectorised kernels for arithmetic, and none for `Sign` and `Where`: on ONNX Runtime's
//! CPU, over 1.2 million elements and with two threads, `Mul` takes 0.3 ms, `Sign` 2.6 and `Where`
//! behind a comparison 8 to 15.
//!
//! Runs at `-O2`, among the choices of forms, whose order does not matter.

use super::{Action, Pass, Runs};

pub(super) const PASS: Pass = Pass {
    name: "masks",
    runs: Runs::AtO2,
    action: Action::Lowering(|lowering| lowering.masks = true),
};
