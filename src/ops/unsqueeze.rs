//! `Unsqueeze`: new axes of size 1.

use super::movement::{Movement, RESHAPING};
use crate::ir::{Dim, Error, NodeRef, Operator, Type};

pub(super) const OPERATOR: &dyn Operator =
    &Movement { name: "Unsqueeze", attributes: &["axes"], inputs: 2, infer, ..RESHAPING };

fn infer(node: NodeRef) -> Result<Vec<Type>, Error> {
    let ty = node.ty(0)?;
    let rank = node.rank(0)?;
    let stated = if node.opset() < 13 { node.ints("axes")?.map(<[i64]>::len) } else { None };
    let count = stated.or_else(|| node.constant_ints(1).map(|axes| axes.len()));
    let rank = rank + count.ok_or(Error::Unknown { what: "the axes".into() })?;
    let axes = node.axes(13, rank)?.unwrap_or_default();
    let mut old = ty.shape.iter().flatten().copied();
    let dim = |axis| if axes.contains(&axis) { Some(Dim::Known(1)) } else { old.next() };
    let dims: Vec<_> = (0..rank).map_while(dim).collect();
    if dims.len() != rank {
        return Err(Error::Shapes { what: format!("the axes {axes:?} are given twice") });
    }
    Ok(vec![Type::new(ty.elem, dims)])
}
