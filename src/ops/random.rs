//! Random numbers and shapes filled in: values that depend on the shape of their operand at most.

use crate::{
    ir::{Dim, Error, Kind, NodeRef, Operator, Type},
    onnx::DataType,
};

pub(super) const OPERATOR: &dyn Operator = &Random;

struct Random;

impl Operator for Random {
    fn names(&self) -> &[&'static str] {
        &["EyeLike", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"]
    }

    fn attributes(&self) -> &[&'static str] {
        &["dtype", "high", "k", "low", "mean", "scale", "seed", "shape"]
    }

    fn infer(&self, node: NodeRef) -> Result<Vec<Type>, Error> {
        let stated = i32::try_from(node.int("dtype", 0)?).ok().and_then(|e| e.try_into().ok());
        let stated = stated.filter(|elem| *elem != DataType::Undefined);
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

    fn depends(&self, _node: NodeRef) -> bool {
        false
    }
}
