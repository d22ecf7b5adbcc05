//! `FusedConv`: a convolution, a summand, and an activation.

use super::{Contrib, activation::activation};

pub(super) const CONTRIB: Contrib = Contrib {
    names: &[("com.microsoft", "FusedConv")],
    since: None,
    body: |call| {
        let window =
            call.keep(&["auto_pad", "dilations", "group", "kernel_shape", "pads", "strides"]);
        let operands = [Some(call.x(0)?), Some(call.x(1)?), call.get(2)];
        let y = call.emitter.emit("Conv", &operands, window);
        let y = call.get(3).map_or(y, |summand| y + summand);
        Ok(vec![Some(activation(call, y)?)])
    },
};
