//! `FusedGemm`: a `Gemm` and an activation.

use super::{Contrib, activation::activation};

pub(super) const CONTRIB: Contrib = Contrib {
    names: &[("com.microsoft", "FusedGemm")],
    since: None,
    body: |call| {
        let operands = [Some(call.x(0)?), Some(call.x(1)?), call.get(2)];
        let attributes = call.keep(&["alpha", "beta", "transA", "transB"]);
        let y = call.emitter.emit("Gemm", &operands, attributes);
        Ok(vec![Some(activation(call, y)?)])
    },
};
