//! `Shape` and `Size`, which depend on no element of their operand.

use crate::{
    ir::{Dim, Error, Kind, NodeRef, Operator, Type},
    onnx::DataType,
};

pub(super) const OPERATOR: &dyn Operator = &Shape;

struct Shape;

impl Operator for Shape {
    fn names(&self) -> &[&'static str] {
        &["Shape", "Size"]
    }

    fn infer(&self, node: NodeRef) -> Result<Vec<Type>, Error> {
        if node.op_type() == "Size" {
            return Ok(vec![Type::new(DataType::Int64, vec![])]);
        }
        let length = self.fold(node).map_or(Dim::Unknown, |dims| Dim::Known(dims.len() as i64));
        Ok(vec![Type::new(DataType::Int64, vec![length])])
    }

    fn kind(&self, _node: NodeRef) -> Result<Kind, Error> {
        Ok(Kind::Stop)
    }

    fn depends(&self, _node: NodeRef) -> bool {
        false
    }

    fn fold(&self, node: NodeRef) -> Option<Vec<Dim>> {
        let ty = node.ty(0).ok()?;
        if node.op_type() == "Size" {
            return Some(vec![Dim::Known(ty.count()?)]);
        }
        let dims = ty.shape.as_ref()?;
        let rank = dims.len() as i64;
        let bound = |name, default| -> Option<usize> {
            let at = node.int(name, default).ok()?;
            Some((if at < 0 { at.saturating_add(rank) } else { at }).clamp(0, rank) as usize)
        };
        Some(dims.get(bound("start", 0)?..bound("end", rank)?).unwrap_or_default().to_vec())
    }
}
