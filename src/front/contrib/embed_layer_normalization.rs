//! `EmbedLayerNormalization`: the layer normalisation of the sum of what tokens, their places and their
//! segments stand for.

use super::{Contrib, rotary_embedding::fetched, simplified_layer_normalization::normalised};
use crate::onnx::DataType;

pub(super) const CONTRIB: Contrib = Contrib {
    names: &[("com.microsoft", "EmbedLayerNormalization")],
    since: None,
    body: |call| {
        let (ids, segments) = (call.x(0)?, call.get(1));
        let (words, positions) = (call.x(2)?, call.x(3)?);
        let tokens = || call.emitter.positions(ids, 1);
        let places = call.get(8).map_or_else(tokens, Ok)?;
        let sum = fetched(words, ids) + fetched(positions, places);
        let sum = match (segments, call.get(4)) {
            (Some(segments), Some(table)) => sum + fetched(table, segments),
            _ => sum,
        };
        let epsilon = call.float("epsilon")?.unwrap_or(1e-12);
        let y = normalised(sum, &[2], epsilon, true) * call.x(5)? + call.x(6)?;
        // How many tokens of each sample the mask keeps, which must be the first.
        call.int("mask_index_type", 0)?;
        let kept = call.get(7).map(|mask| mask.sum(&[1], false).cast(DataType::Int32));
        Ok(vec![Some(y), kept, Some(sum)])
    },
};
