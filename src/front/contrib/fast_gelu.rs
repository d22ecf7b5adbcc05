//! `FastGelu`: `Gelu` approximated by tanh (Hendrycks and Gimpel 2016), of a sum if there is a bias.

use std::f64::consts::PI;

use super::Contrib;

pub(super) const CONTRIB: Contrib = Contrib {
    names: &[("com.microsoft", "FastGelu")],
    since: None,
    // ½ x (1 + tanh(√(2/π) (x + 0.044715 x³)))
    body: |call| {
        let x = call.x(0)?;
        let x = call.get(1).map_or(x, |bias| x + bias);
        let cubed = x.pow(call.emitter.scalar(x.ty().elem, 3.0));
        let scale = (2.0 / PI).sqrt();
        let tanh = ((x + cubed * 0.044_715) * scale).unary("Tanh");
        Ok(vec![Some(x * (tanh + 1.0) * 0.5)])
    },
};
