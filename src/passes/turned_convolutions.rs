//! `turned-convolutions`: the input gradient of a convolution is a convolution.
//!
//! Its kernel is turned around and has its channels exchanged, in nodes that runtimes fold; with steps,
//! there is one for each phase of the steps, and the results are interleaved. `ConvTranspose` is the same
//! sum as a matrix product and a scatter of its columns, for which ONNX Runtime's CPU has no blocked
//! kernel.
//!
//! What is chosen depends on sizes alone. A `ConvTranspose` stays where fewer than 8 channels come out
//! (blocked kernels compute 8 or 16), at sizes not known where there are steps, and where windows have
//! both steps and gaps. A pointwise convolution of few channels is a `MatMul`, as changing its layout
//! would take longer. Without this pass, explanations of the networks in the README take 1.1 to 1.25
//! times as long.
//!
//! Runs at `-O2`, among the choices of forms, whose order does not matter.

use super::{Action, Pass, Runs};

pub(super) const PASS: Pass = Pass {
    name: "turned-convolutions",
    runs: Runs::AtO2,
    action: Action::Lowering(|lowering| lowering.turned_convolutions = true),
};
