//! `Scaler`: (x − offset) · scale in float32, what scikit-learn's scalers are.

use super::Contrib;
use crate::{
    ir::Error,
    onnx::{DataType, attribute::int},
};

pub(super) const CONTRIB: Contrib = Contrib {
    names: &[("ai.onnx.ml", "Scaler")],
    since: None,
    body: |call| {
        let list = |values: Vec<f64>| {
            (!values.is_empty()).then(|| call.emitter.floats(DataType::Float, &values))
        };
        // Which axis has the features of others, the standard does not say.
        if let Some(rank) = call.x(0)?.ty().rank().filter(|rank| *rank > 2) {
            return Err(Error::Unsupported { what: format!("a Scaler of {rank} axes") });
        }
        let to = int("to", DataType::Float as i64);
        let x = call.emitter.emit("Cast", &[Some(call.x(0)?)], vec![to]);
        let x = list(call.floats("offset")?).map_or(x, |offset| x - offset);
        Ok(vec![Some(list(call.floats("scale")?).map_or(x, |scale| x * scale))])
    },
};
