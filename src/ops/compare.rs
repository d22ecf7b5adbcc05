//! Comparisons and logic: booleans, through which nothing flows.

use crate::{
    ir::{Dim, Error, Kind, NodeRef, Operator, Type},
    onnx::DataType,
};

pub(super) const OPERATOR: &dyn Operator = &Compare;

struct Compare;

impl Operator for Compare {
    fn names(&self) -> &[&'static str] {
        &[
            "Equal",
            "Greater",
            "GreaterOrEqual",
            "Less",
            "LessOrEqual",
            "And",
            "Or",
            "Xor",
            "Not",
            "IsNaN",
            "IsInf",
        ]
    }

    fn infer(&self, node: NodeRef) -> Result<Vec<Type>, Error> {
        Ok(vec![node.elementwise(0)?.remove(0).with(DataType::Bool)])
    }

    fn fold(&self, node: NodeRef) -> Option<Vec<Dim>> {
        let truth = |holds: bool| Dim::Known(holds.into());
        if node.op_type() == "Not" {
            let known = node.constant_ints(0)?;
            return Some(known.into_iter().map(|n| truth(n == 0)).collect());
        }
        node.fold(|a, b| match (node.op_type(), a, b) {
            ("Equal", a, b) if a == b && a != Dim::Unknown => truth(true),
            // A size is never negative.
            ("Equal", Dim::Symbol(_), Dim::Known(n)) | ("Equal", Dim::Known(n), Dim::Symbol(_))
                if n < 0 =>
            {
                truth(false)
            }
            ("Equal", Dim::Known(a), Dim::Known(b)) => truth(a == b),
            ("Greater", Dim::Known(a), Dim::Known(b)) => truth(a > b),
            ("GreaterOrEqual", Dim::Known(a), Dim::Known(b)) => truth(a >= b),
            ("Less", Dim::Known(a), Dim::Known(b)) => truth(a < b),
            ("LessOrEqual", Dim::Known(a), Dim::Known(b)) => truth(a <= b),
            ("And", Dim::Known(a), Dim::Known(b)) => truth(a != 0 && b != 0),
            ("Or", Dim::Known(a), Dim::Known(b)) => truth(a != 0 || b != 0),
            _ => Dim::Unknown,
        })
    }

    fn since(&self, name: &str) -> i64 {
        match name {
            "GreaterOrEqual" | "LessOrEqual" => 12,
            "IsInf" => 10,
            _ => 9,
        }
    }

    fn kind(&self, _node: NodeRef) -> Result<Kind, Error> {
        Ok(Kind::Stop)
    }
}
