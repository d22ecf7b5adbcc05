//! `QLinearGlobalAveragePool` and `QLinearAveragePool`: means of a quantised operand.

use super::{Contrib, quantised::channels_first};

pub(super) const CONTRIB: Contrib = Contrib {
    names: &[
        ("com.microsoft", "QLinearAveragePool"),
        ("com.microsoft", "QLinearGlobalAveragePool"),
    ],
    since: None,
    body: |call| {
        let window = call.keep(&[
            "auto_pad",
            "ceil_mode",
            "count_include_pad",
            "kernel_shape",
            "pads",
            "strides",
        ]);
        let last = call.int("channels_last", 0)? != 0;
        let y = channels_first(call.numbers(0, 0)?, last, |x| match call.name {
            "QLinearAveragePool" => call.emitter.emit("AveragePool", &[Some(x)], window),
            _ => x.unary("GlobalAveragePool"),
        })?;
        call.quantised(y, [3, 4], 0)
    },
};
