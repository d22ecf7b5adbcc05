//! `Dropout`, which does nothing at inference.

use super::movement::{MOVEMENT, Movement};
use crate::{
    ir::{Error, Kind, Operator},
    onnx::DataType,
};

pub(super) const OPERATOR: &dyn Operator = &Movement {
    name: "Dropout",
    attributes: &["ratio", "seed"],
    inputs: 3,
    infer: |node| Ok(vec![node.ty(0)?.clone(), node.ty(0)?.with(DataType::Bool)]),
    kind: |node| match node.input(2).is_none() || node.constant_float(2) == Some(0.0) {
        true => Ok(Kind::Movement),
        false => Err(Error::Unsupported { what: "Dropout in training mode".into() }),
    },
    ..MOVEMENT
};
