//! `Attention` of `com.microsoft`: queries, keys and values come of one product with weights.

use super::{
    Contrib,
    scaled_dot_product::{Attention, causal, join_heads, size, split_heads, with_past},
};
use crate::ir::{Error, Expr};

pub(super) const CONTRIB: Contrib = Contrib {
    names: &[("com.microsoft", "Attention")],
    since: None,
    body: |call| {
        let heads = call.int("num_heads", 0)?;
        let (x, weights, bias) = (call.x(0)?, call.x(1)?, call.get(2));
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
        let past = call.get(4);
        let kept = |at| past.map(|past| past.part(0, at, at + 1).squeeze(0));
        let (past_k, past_v) = (kept(0), kept(1));
        let (k, v) = (with_past(past_k, k), with_past(past_v, v));
        let mask = call.get(3).map(|mask| call.filtered(mask, k)).transpose()?;
        let attention = Attention {
            q,
            k,
            v,
            scale: call.scale()?,
            softcap: 0.0,
            biases: mask.into_iter().chain(call.get(5)).collect(),
            sink: None,
        };
        let is_causal = call.int("unidirectional", 0)? != 0;
        let y = attention.of(|scores| is_causal.then(|| causal(scores, past_k)).transpose())?;
        let both = || Expr::concat(&[k, v].map(|x| x.unsqueeze(&[0])), 0);
        let present = (k.ty().dim(3) == v.ty().dim(3)).then(both).flatten();
        Ok(vec![Some(join_heads(y)), present])
    },
};
