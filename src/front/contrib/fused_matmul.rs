//! `FusedMatMul`: α · A · B, of matrices that may be transposed first.

use super::Contrib;

pub(super) const CONTRIB: Contrib = Contrib {
    names: &[("com.microsoft", "FusedMatMul"), ("com.microsoft", "TransposeMatMul")],
    since: None,
    body: |call| {
        let operand = |operand: usize, transposed: &'static str, batch: &'static str| {
            let x = call.x(operand)?;
            let rank = x.rank()?;
            // Rows that lie before the batch, not behind it.
            let first_last = || (1..rank - 1).chain([0, rank - 1]).collect::<Vec<_>>();
            let rows_first = call.int(batch, 0)? != 0 && rank > 2;
            let x = if rows_first { x.transpose(&first_last()) } else { x };
            if call.int(transposed, 0)? == 0 { Ok(x) } else { x.matrix_transpose() }
        };
        let y = operand(0, "transA", "transBatchA")?.matmul(operand(1, "transB", "transBatchB")?);
        let alpha = call.float("alpha")?.filter(|alpha| (alpha - 1.0).abs() > 0.0);
        Ok(vec![Some(alpha.map_or(y, |alpha| y * alpha))])
    },
};
