//! `MultiHeadAttention`: attention to keys and values that are computed outside, but for their biases.

use super::{
    Contrib,
    scaled_dot_product::{Attention, causal, join_heads, size, split_heads, with_past},
};
use crate::ir::Error;

pub(super) const CONTRIB: Contrib = Contrib {
    names: &[("com.microsoft", "MultiHeadAttention")],
    since: None,
    body: |call| {
        let heads = call.int("num_heads", 0)?;
        let mut operands = [call.x(0)?, call.x(1)?, call.x(2)?];
        if operands.iter().any(|x| x.rank() == Ok(5)) {
            let what = "MultiHeadAttention of packed operands";
            return Err(Error::Unsupported { what: what.into() });
        }
        if let Some(bias) = call.get(3) {
            let mut from = 0;
            // Keys and values that have heads already are those of a cache, with their biases.
            for x in operands.iter_mut().filter(|x| x.rank() == Ok(3)) {
                let to = from + size(*x, 2, "the number of features")?;
                *x = *x + bias.part(0, from, to);
                from = to;
            }
        }
        let [q, k, v] = operands;
        let past = call.get(6);
        let k = with_past(past, split_heads(k, heads)?);
        let v = with_past(call.get(7), split_heads(v, heads)?);
        let mask = call.get(4).map(|mask| call.filtered(mask, k)).transpose()?;
        let attention = Attention {
            q: split_heads(q, heads)?,
            k,
            v,
            scale: call.scale()?,
            softcap: 0.0,
            biases: mask.into_iter().chain(call.get(5)).collect(),
            sink: None,
        };
        let is_causal = call.int("unidirectional", 0)? != 0;
        let y = attention.of(|scores| is_causal.then(|| causal(scores, past)).transpose())?;
        Ok(vec![Some(join_heads(y)), Some(k), Some(v)])
    },
};
