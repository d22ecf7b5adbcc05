//! `RotaryEmbedding` of `ai.onnx`, whose tables may be given for each token.

use super::{
    Contrib,
    rotary_embedding::{Rotation, fetched},
    scaled_dot_product::{join_heads, split_heads},
};

pub(super) const CONTRIB: Contrib = Contrib {
    names: &[("", "RotaryEmbedding")],
    since: Some(23),
    body: |call| {
        let x = call.x(0)?;
        let heads = call.int("num_heads", 0)?;
        let is_joined = x.rank()? == 3;
        let split = split_heads(x, heads)?;
        let places = call.get(3);
        let row = |operand: usize| {
            let table = call.x(operand)?;
            Ok(places.map_or(table, |places| fetched(table, places)).unsqueeze(&[1]))
        };
        let rotation =
            Rotation { cos: row(1)?, sin: row(2)?, interleaved: call.int("interleaved", 0)? != 0 };
        // How many features are turned is what the tables are wide.
        call.int("rotary_embedding_dim", 0)?;
        let y = rotation.of(split)?;
        Ok(vec![Some(if is_joined { join_heads(y) } else { y })])
    },
};
