//! Operators whose results are positions, counts or codes, through which nothing flows.

use crate::{
    ir::{Dim, Error, Kind, NodeRef, Operator, Type},
    onnx::DataType,
};

pub(super) const OPERATOR: &dyn Operator = &Indices;

struct Indices;

impl Operator for Indices {
    fn names(&self) -> &[&'static str] {
        &["NonZero", "OneHot", "NonMaxSuppression"]
    }

    fn attributes(&self) -> &[&'static str] {
        &["axis", "center_point_box"]
    }

    fn arity(&self) -> usize {
        5
    }

    fn since(&self, name: &str) -> i64 {
        if name == "NonMaxSuppression" { 10 } else { 9 }
    }

    fn infer(&self, node: NodeRef) -> Result<Vec<Type>, Error> {
        let list = |rank| vec![Dim::Unknown; rank];
        Ok(vec![match node.op_type() {
            "OneHot" => Type::new(node.ty(2)?.elem, list(node.rank(0)? + 1)),
            _ => Type::new(DataType::Int64, list(2)),
        }])
    }

    fn kind(&self, _node: NodeRef) -> Result<Kind, Error> {
        Ok(Kind::Stop)
    }
}
