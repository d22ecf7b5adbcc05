//! `cofactors`: relevance is a product `x ⊙ g`, and stays one while nobody asks for it.
//!
//! ```text
//! R_y = y ⊙ g    and the next unit needs    R_y / (y + ε) = g · y / (y + ε) ≈ g
//! ```
//!
//! So a `ReLU` or a max pool whose result is the factor `y` divides nothing: what ε keeps of `y ⊙ g` is `ε ⊙ g`
//! at most, which shows only where whole layers are no larger than ε. Sums of what several readers give add
//! only `g`; a layer reads each of its activations once; and the product of a gate need not be kept for
//! its sign. In float64 nothing is idle, and sums alone are saved.
//!
//! Runs at `-O2`, among the choices of forms, whose order does not matter.

use super::{Action, Pass, Runs};

pub(super) const PASS: Pass = Pass {
    name: "cofactors",
    runs: Runs::AtO2,
    action: Action::Lowering(|lowering| lowering.cofactors = true),
};
