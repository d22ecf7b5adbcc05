//! What the operators of quantised models have in common: each computes with the numbers that its operands
//! stand for, and quantises the result.
//!
//! Operands come as elements, scale and zero point, one after the other. Constants are dequantised by
//! arithmetic, which runtimes carry out when they load a model, so that weights stay small in the file.

use super::CallSite;
use crate::{
    ir::{Error, Expr, Graph},
    onnx::{DataType, schema::TensorProto},
};

impl<'e> CallSite<'_, 'e> {
    /// The numbers that operand `at` stands for, with its scale and zero point behind it. Those of a constant
    /// may be lists along an axis.
    pub(super) fn numbers(&self, at: usize, axis: usize) -> Result<Expr<'e>, Error> {
        self.numbers_of(at, [at + 1, at + 2], axis)
    }

    /// As [`Self::numbers`], with the scale and the zero point at other places.
    pub(super) fn numbers_of(
        &self,
        at: usize,
        [scale, zero]: [usize; 2],
        axis: usize,
    ) -> Result<Expr<'e>, Error> {
        let (q, scale, zero) = (self.x(at)?, self.x(scale)?, self.get(zero));
        if !q.asked(Graph::is_active) {
            let rank = q.rank()?;
            let spread = |list: Expr<'e>| -> Result<Expr<'e>, Error> {
                let after: Vec<_> = (1..rank.saturating_sub(axis)).collect();
                let list = list.cast(scale.ty().elem);
                let along = list.rank()? == 1 && list.ty().count() != Some(1);
                Ok(if along { list.unsqueeze(&after) } else { single(list) })
            };
            let q = q.cast(scale.ty().elem);
            let q = zero.map(spread).transpose()?.map_or(q, |zero| q - zero);
            return Ok(q * spread(scale)?);
        }
        if scale.ty().count() != Some(1) {
            let what = format!("{} of activations with more than one scale", self.name);
            return Err(Error::Unsupported { what });
        }
        let operands = [Some(q), Some(single(scale)), zero.map(single)];
        Ok(self.emitter.emit("DequantizeLinear", &operands, vec![]))
    }

    /// Numbers, quantised by the scale and the zero point at those places; where that is left out, to
    /// elements of the type that the operand at `like` has.
    pub(super) fn quantised(
        &self,
        y: Expr<'e>,
        [scale, zero]: [usize; 2],
        like: usize,
    ) -> Result<Vec<Option<Expr<'e>>>, Error> {
        let elem = self.x(like)?.ty().elem;
        let zero = self.get(zero).map_or_else(|| self.no_offset(elem), single);
        let operands = [Some(y), Some(single(self.x(scale)?)), Some(zero)];
        Ok(vec![Some(self.emitter.emit("QuantizeLinear", &operands, vec![]))])
    }

    /// A zero point of 0.
    fn no_offset(&self, elem: DataType) -> Expr<'e> {
        self.emitter.constant(TensorProto {
            data_type: Some(elem as i32),
            raw_data: Some(
                vec![0; if matches!(elem, DataType::Uint16 | DataType::Int16) { 2 } else { 1 }]
                    .into(),
            ),
            ..TensorProto::default()
        })
    }
}

/// The numbers that activations are rounded to by a scale and a zero point that follow from them.
pub(super) fn requantised(x: Expr<'_>) -> Expr<'_> {
    let parts = x.emitter().emit_all("DynamicQuantizeLinear", &[Some(x)], vec![], 3);
    let operands: Vec<_> = parts.into_iter().map(Some).collect();
    x.emitter().emit("DequantizeLinear", &operands, vec![])
}

/// What `of` makes of data, `[batch, channels, …]`; where channels lie `last` in the data, they do in the result.
pub(super) fn channels_first<'e>(
    x: Expr<'e>,
    last: bool,
    of: impl FnOnce(Expr<'e>) -> Expr<'e>,
) -> Result<Expr<'e>, Error> {
    if !last {
        return Ok(of(x));
    }
    let rank = x.rank()?;
    if rank < 2 {
        return Err(Error::Shapes { what: format!("channels behind the places of {rank} axes") });
    }
    let forth: Vec<_> = [0, rank - 1].into_iter().chain(1..rank - 1).collect();
    let back: Vec<_> = [0].into_iter().chain(2..rank).chain([1]).collect();
    Ok(of(x.transpose(&forth)).transpose(&back))
}

/// A list of one number as that number.
pub(super) fn single(v: Expr<'_>) -> Expr<'_> {
    let list = v.ty().rank().is_some_and(|rank| rank > 0) && v.ty().count() == Some(1);
    if list { v.reshape(&[]) } else { v }
}
