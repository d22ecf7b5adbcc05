//! `QuantizeLinear` and `DequantizeLinear` in ONNX Runtime's own domain, which had 16 and 4 bits before ONNX
//! did.

use super::Contrib;

pub(super) const CONTRIB: Contrib = Contrib {
    names: &[("com.microsoft", "QuantizeLinear"), ("com.microsoft", "DequantizeLinear")],
    since: None,
    body: |call| {
        let operands = [Some(call.x(0)?), Some(call.x(1)?), call.get(2)];
        let op_type =
            if call.name == "QuantizeLinear" { "QuantizeLinear" } else { "DequantizeLinear" };
        let attributes = call.keep(&["axis", "block_size"]);
        Ok(vec![Some(call.emitter.emit(op_type, &operands, attributes))])
    },
};
