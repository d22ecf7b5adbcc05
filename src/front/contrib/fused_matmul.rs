//! `FusedMatMul`: α · A · B, of matrices that may be transposed first.

use super::Contrib;
use crate::ir::Error;

pub(super) const CONTRIB: Contrib = Contrib {
    names: &[("com.microsoft", "FusedMatMul"), ("com.microsoft", "TransposeMatMul")],
    since: None,
    body: |call| {
        if call.int("transBatchA", 0)? != 0 || call.int("transBatchB", 0)? != 0 {
            return Err(Error::Unsupported { what: "FusedMatMul of transposed batches".into() });
        }
        let operand = |operand: usize, transposed: &'static str| {
            let x = call.x(operand)?;
            if call.int(transposed, 0)? == 0 { Ok(x) } else { x.matrix_transpose() }
        };
        let y = operand(0, "transA")?.matmul(operand(1, "transB")?);
        let alpha = call.float("alpha")?.filter(|alpha| (alpha - 1.0).abs() > 0.0);
        Ok(vec![Some(alpha.map_or(y, |alpha| y * alpha))])
    },
};
