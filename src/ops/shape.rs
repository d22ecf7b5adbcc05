//! `Shape` and `Size`, which depend on no element of their operand.

use crate::{
    ir::{Array, Dim, Error, Evaluation, Kind, NodeRef, Operator, Type},
    onnx::DataType,
};

pub(super) const OPERATOR: &dyn Operator = &Shape;

struct Shape;

impl Operator for Shape {
    fn names(&self) -> &[&'static str] {
        &["Shape", "Size"]
    }

    fn attributes(&self) -> &[&'static str] {
        &["end", "start"]
    }

    fn infer(&self, node: NodeRef) -> Result<Vec<Type>, Error> {
        if node.op_type() == "Size" {
            return Ok(vec![Type::new(DataType::Int64, vec![])]);
        }
        let length = sizes(node).map_or(Dim::Unknown, |dims| Dim::Known(dims.len() as i64));
        Ok(vec![Type::new(DataType::Int64, vec![length])])
    }

    fn kind(&self, _node: NodeRef) -> Result<Kind, Error> {
        Ok(Kind::Stop)
    }

    fn depends(&self, _node: NodeRef) -> bool {
        false
    }

    fn eval(&self, of: &Evaluation) -> Option<Array> {
        if of.node.op_type() == "Size" {
            return Array::of_ints(&[], vec![Dim::Known(of.node.ty(0).ok()?.count()?)]);
        }
        Array::of_ints(of.shape, sizes(of.node)?.to_vec())
    }
}

/// The sizes of the axes that are asked for.
fn sizes(node: NodeRef<'_>) -> Option<&[Dim]> {
    let dims = node.ty(0).ok()?.shape.as_ref()?;
    let rank = dims.len() as i64;
    let bound = |name, default| -> Option<usize> {
        let at = node.int(name, default).ok()?;
        Some((if at < 0 { at.saturating_add(rank) } else { at }).clamp(0, rank) as usize)
    };
    Some(dims.get(bound("start", 0)?..bound("end", rank)?).unwrap_or_default())
}
