//! `CausalConvWithState`: a convolution of each channel with what came before it, as Mamba has it.

use super::Contrib;
use crate::{
    ir::{Dim, Error, Expr},
    onnx::attribute::int,
};

pub(super) const CONTRIB: Contrib = Contrib {
    names: &[("", "CausalConvWithState")],
    since: Some(27),
    body: |call| {
        let (x, w) = (call.x(0)?, call.x(1)?);
        let size = |axis, what: &str| {
            let known = w.ty().dim(axis).and_then(Dim::known);
            known.ok_or_else(|| Error::Unknown { what: what.into() })
        };
        let (channels, width) =
            (size(0, "the number of channels")?, size(2, "the width of the kernel")?);
        let before = match call.get(3) {
            Some(past) => Expr::concat(&[past, x], 2).unwrap_or(x),
            None => x.pad(&[0, 0, width - 1], &[0; 3], 0.0),
        };
        let operands = [Some(before), Some(w), call.get(2)];
        let y = call.emitter.emit("Conv", &operands, vec![int("group", channels)]);
        let y = match call.attribute("activation").string("activation")?.unwrap_or("none") {
            "none" => y,
            "silu" | "swish" => y * y.sigmoid(),
            other => {
                let what = format!("is {other:?}");
                return Err(Error::Attribute { name: "activation".into(), what });
            }
        };
        // The last elements that the next call has behind it.
        let present = before.slice(2, x.size(2), x.size(2) + call.emitter.ints(&[width - 1]))?;
        Ok(vec![Some(y), Some(present)])
    },
};
