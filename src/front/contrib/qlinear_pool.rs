//! `QLinearGlobalAveragePool`, `QLinearAveragePool` and `QLinearReduceMean`: means of a quantised operand.

use super::{Contrib, quantised::channels_first};
use crate::ir::{Error, axis};

pub(super) const CONTRIB: Contrib = Contrib {
    names: &[
        ("com.microsoft", "QLinearAveragePool"),
        ("com.microsoft", "QLinearGlobalAveragePool"),
        ("com.microsoft", "QLinearReduceMean"),
    ],
    since: None,
    body: |call| {
        let x = call.numbers(0, 0)?;
        let y = if call.name == "QLinearReduceMean" {
            let rank = x.rank()?;
            let listed = call.attribute("axes").ints("axes")?.map(<[i64]>::to_vec);
            let axes = listed.unwrap_or_else(|| (0..rank as i64).collect());
            let axes = axes.into_iter().map(|at| axis(at, rank)).collect::<Result<Vec<_>, _>>()?;
            if call.int("keepdims", 1)? == 0 {
                return Err(Error::Unsupported {
                    what: "QLinearReduceMean without its axes".into(),
                });
            }
            x.mean(&axes)
        } else {
            let window = call.keep(&[
                "auto_pad",
                "ceil_mode",
                "count_include_pad",
                "kernel_shape",
                "pads",
                "strides",
            ]);
            let last = call.int("channels_last", 0)? != 0;
            channels_first(x, last, |x| match call.name {
                "QLinearAveragePool" => call.emitter.emit("AveragePool", &[Some(x)], window),
                _ => x.unary("GlobalAveragePool"),
            })?
        };
        call.quantised(y, [3, 4], 0)
    },
};
