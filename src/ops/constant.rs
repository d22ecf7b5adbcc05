//! `Constant` and `ConstantOfShape`: values that depend on no input.

use crate::{
    ir::{Array, Dim, Error, Evaluation, Kind, NodeRef, Operator, Sign, Type},
    onnx::{DataType, Tensor},
};

pub(super) const OPERATOR: &dyn Operator = &Constant;

struct Constant;

impl Operator for Constant {
    fn names(&self) -> &[&'static str] {
        &["Constant", "ConstantOfShape"]
    }

    fn attributes(&self) -> &[&'static str] {
        &[
            "sparse_value",
            "value",
            "value_float",
            "value_floats",
            "value_int",
            "value_ints",
            "value_string",
            "value_strings",
        ]
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
        } else if let Some(sparse) =
            node.attribute("sparse_value").and_then(|a| a.sparse_tensor.as_ref())
        {
            let elem = sparse.values.as_ref().map_or(0, |values| values.data_type());
            let dims = sparse.dims.iter().map(|&n| Dim::Known(n)).collect();
            vec![Type::new(DataType::try_from(elem).unwrap_or_default(), dims)]
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

    fn eval(&self, of: &Evaluation) -> Option<Array> {
        let (node, external) = (of.node, of.node.graph().external());
        let tensor = node.attribute("value").and_then(|a| a.t.as_ref());
        let tensor = tensor.map(|tensor| Array::of_tensor(tensor, external));
        if node.op_type() == "ConstantOfShape" {
            let zero = Array::of_floats(&[], vec![0.0]);
            return tensor.unwrap_or(zero)?.reshaped(&[])?.broadcast(of.shape);
        }
        let ints = |list: &[i64]| list.iter().copied().map(Dim::Known).collect();
        let floats = |list: &[f32]| list.iter().copied().map(f64::from).collect();
        let get = |name: &str| node.attribute(name);
        match (tensor, get("value_ints"), get("value_int"), get("value_floats"), get("value_float"))
        {
            (Some(tensor), ..) => tensor,
            (_, Some(a), ..) => Array::of_ints(of.shape, ints(&a.ints)),
            (_, _, Some(a), ..) => Array::of_ints(of.shape, ints(&[a.i?])),
            (_, _, _, Some(a), _) => Array::of_floats(of.shape, floats(&a.floats)),
            (_, _, _, _, Some(a)) => Array::of_floats(of.shape, floats(&[a.f?])),
            _ => None,
        }
    }

    fn may_be_infinite(&self, node: NodeRef, _operand: bool) -> bool {
        let stated = |name| node.attribute(name);
        let tensor = stated("value").and_then(|a| a.t.as_ref());
        let mut numbers = ["value_float", "value_floats"]
            .into_iter()
            .filter_map(stated)
            .flat_map(|a| a.floats.iter().copied().chain(a.f));
        tensor.is_some_and(|t| Tensor::new(t, node.graph().external()).is_infinite())
            || numbers.any(f32::is_infinite)
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
