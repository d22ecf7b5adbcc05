//! `RNN`: `h′ = f(x Wᵀ + h Rᵀ + b)`.

use super::{Recurrent, beside, layer};
use crate::front::contrib::Contrib;

pub const CONTRIB: Contrib = Contrib {
    names: &[("", "RNN")],
    since: Some(9),
    body: |call| {
        let recurrent = Recurrent { gates: 1, activations: &["Tanh"], states: &[5] };
        layer(call, &recurrent, |parameters| {
            let (sum, f) = (parameters.joint(0..1), parameters.activated(0));
            Ok(Box::new(move |x, states| Ok(vec![f(sum.of(beside(x, states[0])))])))
        })
    },
};
