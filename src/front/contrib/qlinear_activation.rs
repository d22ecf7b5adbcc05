//! `QLinearSigmoid`, `QLinearLeakyRelu` and `QLinearSoftmax`: functions of a quantised operand.

use super::Contrib;
use crate::{
    ir::{Error, axis},
    onnx::attribute::int,
};

pub(super) const CONTRIB: Contrib = Contrib {
    names: &[
        ("com.microsoft", "QLinearSigmoid"),
        ("com.microsoft", "QLinearLeakyRelu"),
        ("com.microsoft", "QLinearSoftmax"),
    ],
    since: None,
    body: |call| {
        let x = call.numbers(0, 0)?;
        let y = match call.name {
            "QLinearSigmoid" => x.sigmoid(),
            "QLinearLeakyRelu" => call.emitter.emit("LeakyRelu", &[Some(x)], call.keep(&["alpha"])),
            _ => {
                // Until opset 13 a softmax was over an axis and all behind it.
                let rank = x.rank()?;
                let along = axis(call.int("axis", -1)?, rank)?;
                let opset = call.int("opset", call.emitter.opset())?;
                if (opset < 13) != (call.emitter.opset() < 13) && along + 1 != rank {
                    let what = format!("QLinearSoftmax as of opset {opset}");
                    return Err(Error::Unsupported { what });
                }
                call.emitter.emit("Softmax", &[Some(x)], vec![int("axis", along as i64)])
            }
        };
        call.quantised(y, [3, 4], 0)
    },
};
