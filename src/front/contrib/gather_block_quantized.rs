//! `GatherBlockQuantized`: parts of a table that is quantised to 4 or 8 bits in blocks along an axis. Bytes hold
//! elements of 4 bits in pairs along the last axis, the first of them in the lower half, and count from the middle of
//! their range where no zero points are given.

use super::{Contrib, matmul_n_bits::unpacked, scaled_dot_product::size};
use crate::{
    ir::{Error, Expr, axis},
    onnx::{DataType, attribute::int},
};

pub(super) const CONTRIB: Contrib = Contrib {
    names: &[("com.microsoft", "GatherBlockQuantized")],
    since: None,
    body: |call| {
        let (data, places, scales) = (call.x(0)?, call.x(1)?, call.x(2)?);
        let rank = data.rank()?;
        let along = axis(call.int("quantize_axis", 1)?, rank)?;
        for list in [Some(scales), call.get(3)].into_iter().flatten() {
            if list.rank()? != rank {
                let what = format!("blocks along {} axes of {rank}", list.rank()?);
                return Err(Error::Shapes { what });
            }
        }
        let (bits, block) = (call.int("bits", 4)?, call.int("block_size", 128)?);
        if ![4, 8].contains(&bits) || block < 1 {
            let what = format!("GatherBlockQuantized of blocks of {block} elements of {bits} bits");
            return Err(Error::Unsupported { what });
        }
        let is_bytes = data.ty().elem == DataType::Uint8;
        let pairs = is_bytes && bits == 4;
        let q = elements(data, pairs)?;
        let count = size(q, along, "the size of the axis that is quantised")?;
        // The last block may be cut.
        let spread = |list| Ok::<_, Error>(repeated(list, along, block)?.part(along, 0, count));
        let q = match call.get(3) {
            Some(zeros) => {
                let blocks = (count - 1) / block + 1;
                q - spread(elements(zeros, pairs)?.part(along, 0, blocks))?
            }
            None if is_bytes => q - f64::from(1u32 << (bits - 1)),
            None => q,
        };
        let table = (q * spread(scales)?).cast(scales.ty().elem);
        let from = axis(call.int("gather_axis", 0)?, rank)?;
        let operands = [Some(table), Some(places)];
        let parts = call.emitter.emit("Gather", &operands, vec![int("axis", from as i64)]);
        Ok(vec![Some(parts)])
    },
};

/// Elements as numbers, of bytes that may hold pairs of them.
fn elements(x: Expr<'_>, pairs: bool) -> Result<Expr<'_>, Error> {
    if !pairs {
        return Ok(x.cast(DataType::Float));
    }
    let shape = [vec![0; x.rank()? - 1], vec![-1]].concat();
    Ok(unpacked(x, 4)?.reshape(&shape))
}

/// A number for each block along an axis as one for each of its elements.
fn repeated(list: Expr<'_>, along: usize, block: i64) -> Result<Expr<'_>, Error> {
    let (emitter, rank) = (list.emitter(), list.rank()?);
    let sizes = (0..rank).map(|at| size(list, at, "the number of blocks"));
    let mut shape = sizes.collect::<Result<Vec<_>, _>>()?;
    let mut repeats = vec![1; rank + 1];
    (shape[along], repeats[along + 1]) = (-1, block);
    let wide = list.cast(DataType::Float).unsqueeze(&[along + 1]);
    let operands = [Some(wide), Some(emitter.ints(&repeats))];
    Ok(emitter.emit("Tile", &operands, vec![]).reshape(&shape))
}
