//! Comparisons and logic: booleans, through which nothing flows.

use super::{Error, Kind, Operator};
use crate::{
    graph::{Type, View},
    onnx::DataType,
};

pub(super) const OPERATOR: &dyn Operator = &Compare;

struct Compare;

impl Operator for Compare {
    fn names(&self) -> &[&'static str] {
        &[
            "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "And", "Or", "Xor", "Not",
            "IsNaN", "IsInf",
        ]
    }

    fn infer(&self, node: View) -> Result<Vec<Type>, Error> {
        Ok(vec![node.elementwise(0)?.remove(0).with(DataType::Bool)])
    }

    fn kind(&self, _node: View) -> Result<Kind, Error> {
        Ok(Kind::Stop)
    }
}
