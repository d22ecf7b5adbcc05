//! `GRU`, with gates `z` and `r` between 0 and 1:
//!
//! ```text
//! z  = f(x W_zᵀ + h R_zᵀ + b_z)
//! r  = f(x W_rᵀ + h R_rᵀ + b_r)
//! n  = g(x W_nᵀ + (r ⊙ h) R_nᵀ + b_n)           or, with linear_before_reset,
//! n  = g(x W_nᵀ + r ⊙ (h R_nᵀ + b_Rn) + b_Wn)
//! h′ = (1 − z) ⊙ n + z ⊙ h
//! ```

use super::{Recurrent, beside, layer};
use crate::front::contrib::Contrib;

pub const CONTRIB: Contrib = Contrib {
    names: &[("", "GRU")],
    since: Some(9),
    body: |call| {
        let before_reset = call.int("linear_before_reset", 0)? != 0;
        let activations = &["Sigmoid", "Tanh"];
        let recurrent = Recurrent { gates: 3, activations, states: &[5] };
        layer(call, &recurrent, |parameters| {
            let gates = parameters.joint(0..2);
            let [z, r] = [0, 1].map(|n| parameters.gate(n));
            let [f, g] = [0, 1].map(|n| parameters.activated(n));
            let joint = parameters.joint(2..3);
            let [of_x, of_h] = [parameters.of_input(2..3), parameters.of_hidden(2..3)];
            Ok(Box::new(move |x, states| {
                let h = states[0];
                let sums = gates.of(beside(x, h));
                let (z, r) = (f(z(sums)), f(r(sums)));
                let n = match before_reset {
                    true => of_x.of(x) + r * of_h.of(h),
                    false => joint.of(beside(x, r * h)),
                };
                Ok(vec![(1.0 - z) * g(n) + z * h])
            }))
        })
    },
};
