//! `split-windows`: the elements of a pool's windows are taken apart by splits and slices.
//!
//! Each is then compared by itself. Laying windows out along an axis of their own is shorter to
//! write, but moves single elements, which runtimes are slow at.

use super::Pass;
use crate::ir::Lowering;

pub(super) struct SplitWindows;

impl Pass for SplitWindows {
    fn name(&self) -> &'static str {
        "split-windows"
    }

    fn lowering(&self, lowering: &mut Lowering) {
        lowering.split_windows = true;
    }
}
