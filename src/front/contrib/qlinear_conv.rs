//! `QLinearConv`: a convolution of quantised operands, with a bias in units of the product of their scales. That of
//! ONNX Runtime may have its channels last.

use super::{
    Contrib,
    quantised::{channels_first, single},
};

pub(super) const CONTRIB: Contrib = Contrib {
    names: &[("", "QLinearConv"), ("com.microsoft", "QLinearConv")],
    since: Some(10),
    body: |call| {
        let (x, w) = (call.numbers(0, 0)?, call.numbers(3, 0)?);
        let (of_x, of_w) = (single(call.x(1)?), single(call.x(4)?));
        let bias = call.get(8).map(|b| b.cast(of_x.ty().elem) * (of_x * of_w));
        let window =
            call.keep(&["auto_pad", "dilations", "group", "kernel_shape", "pads", "strides"]);
        let conv = |x| call.emitter.emit("Conv", &[Some(x), Some(w), bias], window);
        let y = channels_first(x, call.int("channels_last", 0)? != 0, conv)?;
        call.quantised(y, [6, 7], 0)
    },
};
