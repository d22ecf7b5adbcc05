//! `split-windows`: the elements of a pool's windows are taken apart by splits and slices.
//!
//! Each is then compared by itself. Laying windows out along an axis of their own is shorter to
//! write, but moves single elements, which runtimes are slow at.
//!
//! Runs at `-O2`, among the choices of forms, whose order does not matter.

use super::{Action, Pass, Runs};

pub(super) const PASS: Pass = Pass {
    name: "split-windows",
    runs: Runs::AtO2,
    action: Action::Lowering(|lowering| lowering.split_windows = true),
};
