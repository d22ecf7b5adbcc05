//! `Attention` of `com.microsoft`: queries, keys and values come of one product with weights. `QAttention` is the same
//! on quantised operands; its result is not quantised.

use super::{
    CallSite, Contrib,
    scaled_dot_product::{Attention, causal, join_heads, size, split_heads, with_past},
};
use crate::ir::{Error, Expr};

pub(super) const CONTRIB: Contrib = Contrib {
    names: &[("com.microsoft", "Attention"), ("com.microsoft", "QAttention")],
    since: None,
    body: |call| {
        let heads = call.int("num_heads", 0)?;
        let Operands { x, weights, bias, mask, past, scores } = Operands::of(call)?;
        call.only("do_rotary", 0)?;
        call.only("past_present_share_buffer", 0)?;
        let stated = call.attribute("qkv_hidden_sizes").ints("qkv_hidden_sizes")?;
        let widths = match stated {
            Some(&[q, k, v]) => [q, k, v],
            Some(_) => {
                let (name, what) = ("qkv_hidden_sizes".into(), "is no list of three".into());
                return Err(Error::Attribute { name, what });
            }
            None => [size(weights, 1, "the number of features")? / 3; 3],
        };
        // A layer each: the weights of one lie beside those of the others.
        let mut from = 0;
        let mut layers = Vec::new();
        for width in widths {
            let to = from + width;
            let y = x.matmul(weights.part(1, from, to));
            let y = bias.map_or(y, |bias| y + bias.part(0, from, to));
            layers.push(split_heads(y, heads)?);
            from = to;
        }
        let [q, k, v] = layers[..] else { return Ok(vec![None]) };
        // Keys and values of earlier tokens, one behind the other.
        let kept = |at| past.map(|past| past.part(0, at, at + 1).squeeze(0));
        let (past_k, past_v) = (kept(0), kept(1));
        let (k, v) = (with_past(past_k, k), with_past(past_v, v));
        let mask = mask.map(|mask| call.filtered(mask, k)).transpose()?;
        let attention = Attention {
            q,
            k,
            v,
            scale: call.scale()?,
            softcap: 0.0,
            biases: mask.into_iter().chain(scores).collect(),
            sink: None,
        };
        let is_causal = call.int("unidirectional", 0)? != 0;
        let y = attention.of(|scores| is_causal.then(|| causal(scores, past_k)).transpose())?;
        let both = || Expr::concat(&[k, v].map(|x| x.unsqueeze(&[0])), 0);
        let present = (k.ty().dim(3) == v.ty().dim(3)).then(both).flatten();
        Ok(vec![Some(join_heads(y)), present])
    },
};

/// What both operators have, each at other places.
struct Operands<'e> {
    /// `[batch, tokens, features]`
    x: Expr<'e>,
    /// Those of queries, keys and values, side by side.
    weights: Expr<'e>,
    bias: Option<Expr<'e>>,
    mask: Option<Expr<'e>>,
    past: Option<Expr<'e>>,
    /// What is added to the scores.
    scores: Option<Expr<'e>>,
}

impl<'e> Operands<'e> {
    fn of(call: &CallSite<'_, 'e>) -> Result<Self, Error> {
        Ok(match call.name {
            "QAttention" => Self {
                x: call.numbers_of(0, [3, 6], 0)?,
                // Their scales lie along the columns.
                weights: call.numbers_of(1, [4, 7], 1)?,
                bias: call.get(2),
                mask: call.get(5),
                past: call.get(8),
                scores: None,
            },
            _ => Self {
                x: call.x(0)?,
                weights: call.x(1)?,
                bias: call.get(2),
                mask: call.get(3),
                past: call.get(4),
                scores: call.get(5),
            },
        })
    }
}
