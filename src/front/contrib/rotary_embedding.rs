//! `RotaryEmbedding` (Su et al. 2021): pairs of features are turned by angles that grow with the place.

use super::{
    Contrib,
    scaled_dot_product::{join_heads, size, split_heads},
};
use crate::{
    ir::{Dim, Error, Expr},
    onnx::{DataType, attribute::int},
};

pub(super) const CONTRIB: Contrib = Contrib {
    names: &[("com.microsoft", "RotaryEmbedding")],
    since: None,
    body: |call| {
        let (x, places) = (call.x(0)?, call.x(1)?);
        let (cos, sin) = (call.x(2)?, call.x(3)?);
        call.only("is_packed_batching", 0)?;
        if call.float("scale")?.is_some_and(|scale| (scale - 1.0).abs() > 0.0) {
            let what = "RotaryEmbedding with a scale";
            return Err(Error::Unsupported { what: what.into() });
        }
        let is_joined = x.rank()? == 3;
        // Heads that are not counted are as wide as the tables say, twice.
        let stated = call.int("num_heads", 0)?;
        call.int("rotary_embedding_dim", 0)?;
        let split = match is_joined {
            true if stated > 0 => split_heads(x, stated)?,
            true => {
                let wide = 2 * size(cos, 1, "the number of angles")?;
                split_heads(x, size(x, 2, "the number of features")? / wide.max(1))?
            }
            false => x,
        };
        // One number is the place of the first token.
        let places = match places.rank()? {
            1 => {
                let place = places.cast(DataType::Int64).reshape(&[1, 1]);
                place + call.emitter.positions(split, 2)?.reshape(&[1, -1])
            }
            _ => places,
        };
        let row = |table| fetched(table, places).unsqueeze(&[1]);
        let interleaved = call.int("interleaved", 0)? != 0;
        let y = Rotation { cos: row(cos), sin: row(sin), interleaved }.of(split)?;
        Ok(vec![Some(if is_joined { join_heads(y) } else { y })])
    },
};

/// The rows of a table at these places.
pub(super) fn fetched<'e>(table: Expr<'e>, places: Expr<'e>) -> Expr<'e> {
    table.emitter().emit("Gather", &[Some(table), Some(places)], vec![int("axis", 0)])
}

/// A rotation by angles whose cosines and sines broadcast to `[batch, heads, tokens, pairs]`.
pub(super) struct Rotation<'e> {
    /// The cosines.
    pub cos: Expr<'e>,
    /// The sines.
    pub sin: Expr<'e>,
    /// Whether the features of a pair lie side by side, not half of all that are turned apart.
    pub interleaved: bool,
}

impl<'e> Rotation<'e> {
    /// `x`, `[batch, heads, tokens, size]`, with the first of its features turned, as many as there are
    /// angles for.
    pub(super) fn of(self, x: Expr<'e>) -> Result<Expr<'e>, Error> {
        let pairs = size(self.cos, 3, "the number of angles")?;
        let turned = 2 * pairs;
        let [first, second] = if self.interleaved {
            let emitter = x.emitter();
            let every_other = |from: i64| {
                let [from, to] = [from, turned].map(|at| emitter.ints(&[at]));
                x.strided(&[3], from, to, Some(&[2]))
            };
            [every_other(0)?, every_other(1)?]
        } else {
            [x.part(3, 0, pairs), x.part(3, pairs, turned)]
        };
        let real = first * self.cos - second * self.sin;
        let imaginary = first * self.sin + second * self.cos;
        let mut parts = if self.interleaved {
            let apart = [real, imaginary].map(|part| part.unsqueeze(&[4]));
            let both = Expr::concat(&apart, 4).unwrap_or(real);
            let heads = x.ty().dim(1).and_then(Dim::known).unwrap_or(0);
            vec![both.reshape(&[0, heads, -1, turned])]
        } else {
            vec![real, imaginary]
        };
        if x.ty().dim(3) != Some(Dim::Known(turned)) {
            let [from, to] = [turned, i64::MAX].map(|at| x.emitter().ints(&[at]));
            parts.push(x.slice(3, from, to)?);
        }
        Ok(Expr::concat(&parts, 3).unwrap_or(real))
    }
}
