//! `LSTM`, with gates `i`, `o` and `f` between 0 and 1, and peepholes `p` that let them see the cell:
//!
//! ```text
//! i  = f(x W_iᵀ + h R_iᵀ + b_i + p_i ⊙ c)
//! f  = f(x W_fᵀ + h R_fᵀ + b_f + p_f ⊙ c)       or 1 − i, with input_forget
//! c′ = f ⊙ c + i ⊙ g(x W_cᵀ + h R_cᵀ + b_c)
//! o  = f(x W_oᵀ + h R_oᵀ + b_o + p_o ⊙ c′)
//! h′ = o ⊙ h(c′)
//! ```
//!
//! `DynamicQuantizeLSTM` multiplies integers: `x` as a whole and `h` in each step are rounded to 256 numbers of a scale
//! that follows from them, and `W` and `R` lie transposed. Of a batch, ONNX Runtime rounds `h` in as many parts as it has
//! threads; here it is one.

use super::{Activation, QUANTISED, Recurrent, beside, layer};
use crate::{
    front::contrib::{Contrib, quantised::requantised},
    ir::Expr,
};

pub const CONTRIB: Contrib = Contrib {
    names: &[("", "LSTM"), ("com.microsoft", QUANTISED)],
    since: Some(9),
    body: |call| {
        let rounds = call.name == QUANTISED;
        let coupled = call.int("input_forget", 0)? != 0;
        let activations = &["Sigmoid", "Tanh", "Tanh"];
        let recurrent = Recurrent { gates: 4, activations, states: &[5, 6] };
        layer(call, &recurrent, |parameters| {
            // Both hold the gates in the order i, o, f, c.
            let (gates, cell) = (parameters.joint(0..3), parameters.joint(3..4));
            let [i, o, f] = [0, 1, 2].map(|n| parameters.gate(n));
            let [p_i, p_o, p_f] = [0, 1, 2].map(|n| parameters.peephole(n));
            let [open, g] = [0, 1].map(|n| parameters.activated(n));
            let squash = parameters.activations.get(2).cloned();
            Ok(Box::new(move |x, states| {
                let h = if rounds { requantised(states[0]) } else { states[0] };
                let (input, c) = (beside(x, h), states[1]);
                let sums = gates.of(input);
                let i = open(seen(i(sums), p_i, c));
                let f = if coupled { 1.0 - i } else { open(seen(f(sums), p_f, c)) };
                let c = f * c + i * g(cell.of(input));
                let o = open(seen(o(sums), p_o, c));
                let squashed = squash.as_ref().map_or(c, |squash: &Activation| squash.of(c));
                Ok(vec![o * squashed, c])
            }))
        })
    },
};

/// What a gate adds up, with what it sees of the cell.
fn seen<'e>(sum: Expr<'e>, peephole: Option<Expr<'e>>, c: Expr<'e>) -> Expr<'e> {
    peephole.map_or(sum, |p| sum + c * p)
}
