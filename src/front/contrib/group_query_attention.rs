//! `GroupQueryAttention`: causal attention with a cache, in which several heads share keys and values
//! (Ainslie et al. 2023).

use super::{
    Contrib,
    rotary_embedding::{Rotation, fetched},
    scaled_dot_product::{
        Allowed, Attention, and, at_most, join_heads, size, split_heads, with_past,
    },
};
use crate::{
    ir::{Error, Expr},
    onnx::DataType,
};

pub(super) const CONTRIB: Contrib = Contrib {
    names: &[("com.microsoft", "GroupQueryAttention")],
    since: None,
    body: |call| {
        let emitter = call.emitter;
        let (heads, groups) = (call.int("num_heads", 0)?, call.int("kv_num_heads", 0)?);
        let [q, k, v] = match (call.get(1), call.get(2)) {
            (Some(k), Some(v)) => [call.x(0)?, k, v],
            _ => unpacked(call.x(0)?, heads, groups)?,
        };
        let (mut q, mut k) = (split_heads(q, heads)?, split_heads(k, groups)?);
        let v = split_heads(v, groups)?;
        let past = call.get(3);

        // The number of tokens that are kept of each sample, `[batch, 1]`: all but these. The first time there
        // may be less than none, where samples are filled up behind their ends.
        let last = call.x(5)?.cast(DataType::Int64).reshape(&[-1, 1]);
        let zero = emitter.ints(&[0]);
        let before = last + emitter.ints(&[1]) - q.size(2);
        let before = before.where_(before.exceeds(zero), zero);
        // The longest sample's, which the sizes of the cache say.
        call.get(6);
        let tokens = emitter.positions(q, 2)?.reshape(&[1, -1]);
        let before = if past.is_some() { before } else { zero.reshape(&[1, 1]) };
        let places = tokens + before;

        let interleaved = call.int("rotary_interleaved", 0)? != 0;
        if call.int("do_rotary", 0)? != 0 {
            let (cos, sin) = (call.x(7)?, call.x(8)?);
            let at = call.get(9).unwrap_or(places);
            let row = |table| fetched(table, at).unsqueeze(&[1]);
            let (cos, sin) = (row(cos), row(sin));
            q = Rotation { cos, sin, interleaved }.of(q)?;
            k = Rotation { cos, sin, interleaved }.of(k)?;
        }
        let (k, v) = (with_past(past, k), with_past(call.get(4), v));
        let window = call.int("local_window_size", -1)?;
        if window == 0 || past.is_some() && call.get(10).is_some() {
            let what = "GroupQueryAttention with an empty window, or with a bias beside a cache,";
            return Err(Error::Unsupported { what: what.into() });
        }
        let smooth = call.int("smooth_softmax", 0)? != 0;
        let sink = call.get(11).map(|sink| sink.reshape(&[1, -1, 1, 1]));
        let attention = Attention {
            q,
            k,
            v,
            scale: call.scale()?,
            softcap: call.float("softcap")?.unwrap_or_default(),
            biases: call.get(10).into_iter().collect(),
            sink: sink.or_else(|| smooth.then(|| emitter.scalar(q.ty().elem, 0.0))),
        };
        let stated = call.attribute("qk_output").int("qk_output")?;
        let quantised = ["k_quant_type", "v_quant_type"].into_iter().any(|name| {
            let kind = call.attribute(name).string(name);
            !matches!(kind, Ok(None | Some("NONE")))
        });
        if quantised || stated.is_some_and(|which| which != 0) {
            let what = "GroupQueryAttention with a quantised cache or an output of its scores";
            return Err(Error::Unsupported { what: what.into() });
        }
        call.only("kv_cache_bit_width", 0)?;
        call.only("causal", 1)?;
        let y = attention.of(|scores| {
            // The keys of the past are those of places before these tokens, then come these tokens' own; behind
            // what is kept of a sample, its cache holds nothing.
            let keys = emitter.positions(scores, 3)?;
            let [before, last] = [before, last].map(|list| list.reshape(&[-1, 1, 1, 1]));
            let queries = emitter.positions(scores, 2)? + before;
            // Behind the end of a sample that is filled up, queries see what its last one sees.
            let queries = last.where_(queries.exceeds(last), queries);
            let held = past.map(|past| past.size(2));
            let of_past = held.map(|held| held.exceeds(keys));
            let places = match held.zip(of_past) {
                Some((held, of_past)) => keys.where_(of_past, keys + (before - held)),
                None => keys,
            };
            let filled = of_past.map(|of_past| {
                let own = of_past.unary("Not");
                emitter.emit("Or", &[Some(own), Some(before.exceeds(keys))], vec![])
            });
            let conditions = [
                Some(at_most(places, queries)),
                filled,
                (window > 0).then(|| places.exceeds(queries - emitter.ints(&[window]))),
            ];
            let keys = conditions.into_iter().flatten().reduce(and);
            Ok(keys.map(|keys| Allowed { keys, may_be_none: false }))
        })?;
        Ok(vec![Some(join_heads(y))])
    },
};

/// Queries, keys and values that lie behind each other along the features.
fn unpacked(x: Expr<'_>, heads: i64, groups: i64) -> Result<[Expr<'_>; 3], Error> {
    let (features, all) = (size(x, 2, "the number of features")?, heads + 2 * groups);
    if all <= 0 || features % all != 0 {
        let what = format!("{heads} and twice {groups} heads of {features} features");
        return Err(Error::Shapes { what });
    }
    let [q, k] = [heads, heads + groups].map(|heads| heads * (features / all));
    Ok([x.part(2, 0, q), x.part(2, q, k), x.part(2, k, features)])
}
