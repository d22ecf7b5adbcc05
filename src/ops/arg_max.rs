//! `ArgMax` and `ArgMin`: indices, through which nothing flows.

use super::reduce;
use crate::{
    ir::{Error, Kind, NodeRef, Operator, Type},
    onnx::DataType,
};

pub(super) const OPERATOR: &dyn Operator = &ArgMax;

struct ArgMax;

impl Operator for ArgMax {
    fn names(&self) -> &[&'static str] {
        &["ArgMax", "ArgMin"]
    }

    fn attributes(&self) -> &[&'static str] {
        &["axis", "keepdims", "select_last_index"]
    }

    fn infer(&self, node: NodeRef) -> Result<Vec<Type>, Error> {
        reduce::infer(node, &[node.axis("axis", 0, node.rank(0)?)?], DataType::Int64)
    }

    fn kind(&self, _node: NodeRef) -> Result<Kind, Error> {
        Ok(Kind::Stop)
    }
}
