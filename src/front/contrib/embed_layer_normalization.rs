//! `EmbedLayerNormalization`: the layer normalisation of the sum of what tokens, their places and their
//! segments stand for. `QEmbedLayerNormalization` has all of its constants quantised.

use super::{Contrib, rotary_embedding::fetched, simplified_layer_normalization::normalised};
use crate::onnx::DataType;

pub(super) const CONTRIB: Contrib = Contrib {
    names: &[
        ("com.microsoft", "EmbedLayerNormalization"),
        ("com.microsoft", "QEmbedLayerNormalization"),
    ],
    since: None,
    body: |call| {
        let (ids, segments) = (call.x(0)?, call.get(1));
        let is_quantised = call.name == "QEmbedLayerNormalization";
        // Tables and parameters, which have their scales and zero points behind all others where they are quantised.
        let numbers = |at: usize| match is_quantised {
            true => call.numbers_of(at, [at + 6, at + 11], 0),
            false => call.x(at),
        };
        let stated = if is_quantised { None } else { call.get(8) };
        let places = stated.map_or_else(|| call.emitter.positions(ids, 1), Ok)?;
        let sum = fetched(numbers(2)?, ids) + fetched(numbers(3)?, places);
        let sum = match (segments, call.get(4)) {
            (Some(segments), Some(_)) => sum + fetched(numbers(4)?, segments),
            _ => sum,
        };
        let epsilon = call.float("epsilon")?.unwrap_or(1e-12);
        let y = normalised(sum, &[2], epsilon, true) * numbers(5)? + numbers(6)?;
        // How many tokens of each sample the mask keeps, which must be the first.
        call.int("mask_index_type", 0)?;
        let kept = call.get(7).map(|mask| mask.sum(&[1], false).cast(DataType::Int32));
        Ok(vec![Some(y), kept, Some(sum)])
    },
};
