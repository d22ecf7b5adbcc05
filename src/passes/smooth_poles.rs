//! `smooth-poles`: where `z` can be negative, `sign(z) / (z + ε)` is `1 / (|z| + ε² / |z|)`.
//!
//! Both are `1 / |z|`, up to `ε / |z|`, which is less than what rounding makes of `z` in float32, and 0
//! where `z = 0`, of which `ε² / |z|` makes an infinity. The first has a pole at `z = −ε`, which has to
//! be guarded; the second has none, and takes half the passes over memory. In float64 the formula is left
//! as it is. For a device whose arithmetic has no infinities, leave this out.
//!
//! Runs at `-O2`, among the choices of forms, whose order does not matter.

use super::{Action, Pass, Runs};

pub(super) const PASS: Pass = Pass {
    name: "smooth-poles",
    runs: Runs::AtO2,
    action: Action::Lowering(|lowering| lowering.smooth_poles = true),
};
