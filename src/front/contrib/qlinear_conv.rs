//! `QLinearConv`: a convolution of quantised operands, with a bias in units of the product of their scales.

use super::{Contrib, quantised::single};
use crate::ir::Error;

pub(super) const CONTRIB: Contrib = Contrib {
    names: &[("", "QLinearConv")],
    since: Some(10),
    body: |call| {
        let (x, w) = (call.numbers(0, 0)?, call.numbers(3, 0)?);
        let (of_x, of_w) = (single(call.x(1)?), single(call.x(4)?));
        let bias = call.get(8).map(|b| b.cast(of_x.ty().elem) * (of_x * of_w));
        let window =
            call.keep(&["auto_pad", "dilations", "group", "kernel_shape", "pads", "strides"]);
        if call.int("channels_last", 0)? != 0 {
            return Err(Error::Unsupported { what: "QLinearConv with channels last".into() });
        }
        let y = call.emitter.emit("Conv", &[Some(x), Some(w), bias], window);
        call.quantised(y, [6, 7], 0)
    },
};
