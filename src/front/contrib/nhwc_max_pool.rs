//! `NhwcMaxPool`: a `MaxPool` of quantised elements whose channels lie last.

use super::{Contrib, quantised::channels_first};
use crate::{
    ir::Error,
    ops::quantisation::{parameters, quantiser},
};

pub(super) const CONTRIB: Contrib = Contrib {
    names: &[("com.microsoft", "NhwcMaxPool")],
    since: None,
    body: |call| {
        let (q, emitter) = (call.x(0)?, call.emitter);
        let by = q.asked(|graph, q| quantiser(graph, q).map(parameters));
        let Some((Some(scale), zero)) = by else {
            let what = "NhwcMaxPool of what no QuantizeLinear gives";
            return Err(Error::Unsupported { what: what.into() });
        };
        let by = [Some(scale), zero].map(|v| v.map(|v| emitter.expr(v)));
        let window =
            call.keep(&["auto_pad", "ceil_mode", "dilations", "kernel_shape", "pads", "strides"]);
        let x = emitter.emit("DequantizeLinear", &[Some(q), by[0], by[1]], vec![]);
        let y = channels_first(x, true, |x| emitter.emit("MaxPool", &[Some(x)], window))?;
        Ok(vec![Some(emitter.emit("QuantizeLinear", &[Some(y), by[0], by[1]], vec![]))])
    },
};
