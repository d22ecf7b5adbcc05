//! `Constant` and `ConstantOfShape`: values that depend on no input.

use crate::{
    ir::{Dim, Error, Kind, NodeRef, Operator, Sign, Type},
    onnx::{DataType, Tensor},
};

pub(super) const OPERATOR: &dyn Operator = &Constant;

struct Constant;

impl Operator for Constant {
    fn names(&self) -> &[&'static str] {
        &["Constant", "ConstantOfShape"]
    }

    fn infer(&self, node: NodeRef) -> Result<Vec<Type>, Error> {
        if let Some(tensor) = node.attribute("value").and_then(|a| a.t.as_ref()) {
            Tensor::new(tensor, node.graph().external())
                .check()
                .map_err(|what| Error::Attribute { name: "value".into(), what })?;
        }
        let value = node.attribute("value").and_then(|a| a.t.as_ref());
        let elem = value.map(|t| DataType::try_from(t.data_type()).unwrap_or_default());
        if node.op_type() == "ConstantOfShape" {
            let elem = elem.unwrap_or(DataType::Float);
            let shape = node.contents(0).map(<[Dim]>::to_vec);
            return Ok(vec![Type { elem, shape }]);
        }
        let list = |elem, len: usize| vec![Type::new(elem, vec![Dim::Known(len as i64)])];
        Ok(if let (Some(tensor), Some(elem)) = (value, elem) {
            vec![Type::new(elem, tensor.dims.iter().map(|&d| Dim::Known(d)).collect())]
        } else if let Some(ints) = node.ints("value_ints")? {
            list(DataType::Int64, ints.len())
        } else if let Some(floats) = node.attribute("value_floats") {
            list(DataType::Float, floats.floats.len())
        } else if node.attribute("value_int").is_some() {
            vec![Type::new(DataType::Int64, vec![])]
        } else if node.attribute("value_float").is_some() {
            vec![Type::new(DataType::Float, vec![])]
        } else {
            vec![Type::default()]
        })
    }

    fn kind(&self, _node: NodeRef) -> Result<Kind, Error> {
        Ok(Kind::Stop)
    }

    fn depends(&self, _node: NodeRef) -> bool {
        false
    }

    fn fold(&self, node: NodeRef) -> Option<Vec<Dim>> {
        if node.op_type() == "ConstantOfShape" {
            let count = match node.contents(0)? {
                [] => 1,
                &[Dim::Known(count @ 0..=64)] => count,
                _ => return None,
            };
            let value = node.attribute("value")?.t.as_ref()?;
            let value = Tensor::new(value, node.graph().external()).ints()?;
            return Some(vec![Dim::Known(*value.first()?); count as usize]);
        }
        let ints = match node.attribute("value").and_then(|a| a.t.as_ref()) {
            Some(tensor) => Tensor::new(tensor, node.graph().external()).ints()?,
            None => match node.ints("value_ints").ok()? {
                Some(ints) => ints.to_vec(),
                None => vec![node.attribute("value_int")?.i?],
            },
        };
        Some(ints.into_iter().map(Dim::Known).collect())
    }

    fn sign(&self, node: NodeRef) -> Sign {
        let tensor = node.attribute("value").and_then(|a| a.t.as_ref());
        let floats = tensor.and_then(|t| Tensor::new(t, node.graph().external()).floats());
        match floats {
            Some(floats) if floats.iter().all(|&v| v >= 0.0) => Sign::NonNegative,
            _ => Sign::Any,
        }
    }
}
