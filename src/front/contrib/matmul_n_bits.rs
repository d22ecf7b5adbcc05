//! `MatMulNBits`: a product with a matrix [K, N] whose columns are quantised in blocks to 2, 4 or 8 bits.
//!
//! Several elements share a byte, the first of them in its lowest bits: column `n` lies in the bytes
//! `[n, block, …]`. They are taken apart by arithmetic, which runtimes carry out when they load a model.

use super::Contrib;
use crate::{
    ir::{Error, Expr},
    onnx::DataType,
};

pub(super) const CONTRIB: Contrib = Contrib {
    names: &[("com.microsoft", "MatMulNBits")],
    since: None,
    body: |call| {
        let required = |name| {
            let stated = call.int(name, 0)?;
            let missing = Error::Attribute { name: name.into(), what: "is missing".into() };
            if stated > 0 { Ok(stated) } else { Err(missing) }
        };
        let (k, n, size) = (required("K")?, required("N")?, required("block_size")?);
        let bits = call.int("bits", 4)?;
        // How much precision its own arithmetic keeps.
        call.int("accuracy_level", 0)?;
        if ![2, 4, 8].contains(&bits) || size * bits % 8 != 0 {
            let what = format!("MatMulNBits of blocks of {size} elements of {bits} bits");
            return Err(Error::Unsupported { what });
        }
        let (x, blocks) = (call.x(0)?, (k - 1) / size + 1);
        let elem = DataType::Float;
        let scale = call.x(2)?.cast(elem).reshape(&[n, blocks, 1]);
        let q = unpacked(call.x(1)?, bits)?.reshape(&[n, blocks, size]);
        let q = match call.get(3) {
            None => q - f64::from(1u32 << (bits - 1)),
            Some(zeros) if zeros.ty().elem == DataType::Uint8 => {
                // Those of a column fill whole bytes.
                let zeros = unpacked(zeros, bits)?.reshape(&[n, -1]);
                q - zeros.part(1, 0, blocks).unsqueeze(&[2])
            }
            Some(zeros) => q - zeros.cast(elem).reshape(&[n, blocks, 1]),
        };
        let columns = (q * scale).reshape(&[n, blocks * size]).part(1, 0, k);
        let w = columns.transpose(&[1, 0]).cast(x.ty().elem);
        let y = x.matmul(w);
        Ok(vec![Some(call.get(5).map_or(y, |bias| y + bias))])
    },
};

/// The elements of bytes that hold `8 / bits` each, along a new last axis.
pub(super) fn unpacked(bytes: Expr<'_>, bits: i64) -> Result<Expr<'_>, Error> {
    let (rest, rank) = (bytes.cast(DataType::Float), bytes.rank()?);
    let base = f64::from(1u32 << bits);
    let mut parts = Vec::new();
    let mut rest = rest;
    for _ in 0..8 / bits {
        let higher = (rest / base).unary("Floor");
        parts.push((rest - higher * base).unsqueeze(&[rank]));
        rest = higher;
    }
    Expr::concat(&parts, rank).ok_or(Error::Unsupported { what: "elements of no bits".into() })
}
