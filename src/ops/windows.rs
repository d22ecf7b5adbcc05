//! Constants of signal processing: window functions, and filters as wide as a mel is.

use crate::{
    ir::{Dim, Error, Kind, NodeRef, Operator, Type},
    onnx::DataType,
};

pub(super) const OPERATOR: &dyn Operator = &Windows;

struct Windows;

impl Operator for Windows {
    fn names(&self) -> &[&'static str] {
        &["BlackmanWindow", "HammingWindow", "HannWindow", "MelWeightMatrix"]
    }

    fn attributes(&self) -> &[&'static str] {
        &["output_datatype", "periodic"]
    }

    fn arity(&self) -> usize {
        5
    }

    fn since(&self, _name: &str) -> i64 {
        17
    }

    fn infer(&self, node: NodeRef) -> Result<Vec<Type>, Error> {
        let stated = i32::try_from(node.int("output_datatype", 1)?).ok();
        let elem = stated.and_then(|elem| elem.try_into().ok()).unwrap_or(DataType::Undefined);
        let number = |operand| match node.constant_ints(operand).as_deref() {
            Some(&[n]) => Dim::Known(n),
            _ => Dim::Unknown,
        };
        let dims = match node.op_type() {
            "MelWeightMatrix" => vec![number(1).map(false, |n| n / 2 + 1), number(0)],
            _ => vec![number(0)],
        };
        Ok(vec![Type::new(elem, dims)])
    }

    fn kind(&self, _node: NodeRef) -> Result<Kind, Error> {
        Ok(Kind::Stop)
    }
}
