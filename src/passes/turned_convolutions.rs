//! `turned-convolutions`: the input gradient of a convolution of step 1 is a convolution.
//!
//! Its kernel is turned around and has its channels exchanged. `ConvTranspose` is the same sum as a
//! matrix product and a scatter of its columns, for which ONNX Runtime's CPU has no blocked kernel.

use super::Pass;
use crate::graph::Style;

pub(super) struct TurnedConvolutions;

impl Pass for TurnedConvolutions {
    fn name(&self) -> &'static str {
        "turned-convolutions"
    }

    fn style(&self, style: &mut Style) {
        style.turned_convolutions = true;
    }
}
