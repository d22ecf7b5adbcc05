//! `Attention`, as `ai.onnx` has it: of queries, keys and values that are computed outside.

use super::{
    Contrib,
    scaled_dot_product::{Allowed, Attention, and, at_most, join_heads, split_heads, with_past},
};
use crate::{
    ir::{Dim, Error, Expr},
    onnx::DataType,
};

pub(super) const CONTRIB: Contrib = Contrib {
    names: &[("", "Attention")],
    since: Some(23),
    body: |call| {
        let emitter = call.emitter;
        let split = |operand: usize, heads| split_heads(call.x(operand)?, call.int(heads, 0)?);
        let is_joined = call.x(0)?.rank()? == 3;
        let q = split(0, "q_num_heads")?;
        let (new_k, new_v) = (split(1, "kv_num_heads")?, split(2, "kv_num_heads")?);
        let past = call.get(4);
        let (k, v) = (with_past(past, new_k), with_past(call.get(5), new_v));
        let lengths =
            call.get(6).map(|lengths| lengths.cast(DataType::Int64).reshape(&[-1, 1, 1, 1]));
        // The type that the softmax is computed in, and which of its steps the last output shows.
        call.int("softmax_precision", 0)?;
        call.int("qk_matmul_output_mode", 0)?;

        let mask = call.get(3);
        let columns = mask.and_then(|mask| mask.ty().shape?.last()?.known());
        let keys = k.ty().dim(2).and_then(Dim::known);
        if columns.zip(keys).is_some_and(|(columns, keys)| columns != 1 && columns < keys) {
            let what = "Attention with a mask of fewer keys than there are";
            return Err(Error::Unsupported { what: what.into() });
        }
        let is_choice = |mask: &Expr| mask.ty().elem == DataType::Bool;
        let (chosen, added) = (mask.filter(is_choice), mask.filter(|mask| !is_choice(mask)));
        let is_causal = call.int("is_causal", 0)? != 0;
        let (left, right) = (call.int("left_window_size", -1)?, call.int("right_window_size", -1)?);
        let attention = Attention {
            q,
            k,
            v,
            scale: call.scale()?,
            softcap: call.float("softcap")?.unwrap_or_default(),
            biases: added.into_iter().collect(),
            sink: None,
        };
        let y = attention.of(|scores| {
            // A query's place among the keys: behind those of the past, or at the end of those that count.
            let queries = emitter.positions(scores, 2)?;
            let places = match (past, lengths) {
                (Some(past), _) => queries + past.size(2),
                (None, Some(lengths)) => queries + (lengths - q.size(2)),
                (None, None) => queries,
            };
            let keys = emitter.positions(scores, 3)?;
            let window = |size: i64| emitter.ints(&[size]);
            let conditions = [
                chosen,
                is_causal.then(|| at_most(keys, places)),
                (left >= 0).then(|| at_most(places, keys + window(left))),
                (right >= 0).then(|| at_most(keys, places + window(right))),
                lengths.map(|lengths| lengths.exceeds(keys)),
            ];
            let keys = conditions.into_iter().flatten().reduce(and);
            // Every query has the key of its own place, where nothing else is in the way.
            let may_be_none = chosen.is_some() || lengths.is_some() || left >= 0 || right >= 0;
            Ok(keys.map(|keys| Allowed { keys, may_be_none }))
        })?;
        let y = if is_joined { join_heads(y) } else { y };
        Ok(vec![Some(y), Some(k), Some(v)])
    },
};
