//! Random numbers and shapes filled in: values that depend on the shape of their operand at most, and those that are
//! drawn with probabilities from it, through which nothing flows.

use crate::{
    ir::{Dim, Error, Kind, NodeRef, Operator, Type},
    onnx::DataType,
};

pub(super) const OPERATOR: &dyn Operator = &Random;

struct Random;

impl Operator for Random {
    fn names(&self) -> &[&'static str] {
        &[
            "Bernoulli",
            "EyeLike",
            "Multinomial",
            "RandomNormal",
            "RandomNormalLike",
            "RandomUniform",
            "RandomUniformLike",
        ]
    }

    fn since(&self, name: &str) -> i64 {
        if name == "Bernoulli" { 15 } else { 9 }
    }

    fn attributes(&self) -> &[&'static str] {
        &["dtype", "high", "k", "low", "mean", "sample_size", "scale", "seed", "shape"]
    }

    fn infer(&self, node: NodeRef) -> Result<Vec<Type>, Error> {
        let stated = i32::try_from(node.int("dtype", 0)?).ok().and_then(|e| e.try_into().ok());
        let stated = stated.filter(|elem| *elem != DataType::Undefined);
        if node.op_type() == "Multinomial" {
            let draws = Dim::Known(node.int("sample_size", 1)?);
            let batch = node.ty(0)?.dim(0).unwrap_or(Dim::Unknown);
            return Ok(vec![Type::new(stated.unwrap_or(DataType::Int32), vec![batch, draws])]);
        }
        Ok(vec![match node.input(0) {
            Some(like) => {
                let like = node.graph().ty(like);
                like.with(stated.unwrap_or(like.elem))
            }
            None => {
                let shape = node.ints("shape")?.unwrap_or_default();
                let dims = shape.iter().copied().map(Dim::Known).collect();
                Type::new(stated.unwrap_or(DataType::Float), dims)
            }
        }])
    }

    fn kind(&self, _node: NodeRef) -> Result<Kind, Error> {
        Ok(Kind::Stop)
    }

    fn depends(&self, node: NodeRef) -> bool {
        matches!(node.op_type(), "Bernoulli" | "Multinomial")
    }
}
