//! `Squeeze`: axes of size 1 go.

use super::movement::{Movement, RESHAPING};
use crate::ir::{Dim, Error, NodeRef, Operator, Type};

pub(super) const OPERATOR: &dyn Operator =
    &Movement { name: "Squeeze", attributes: &["axes"], inputs: 2, infer, ..RESHAPING };

fn infer(node: NodeRef) -> Result<Vec<Type>, Error> {
    let ty = node.ty(0)?;
    let rank = node.rank(0)?;
    let dims = ty.shape.as_deref().unwrap_or_default();
    let axes = match node.axes(13, rank)? {
        Some(axes) => axes,
        // Without axes every size of 1 goes, which has to be known.
        None if dims.iter().all(|d| d.known().is_some()) => {
            (0..rank).filter(|&axis| dims[axis] == Dim::Known(1)).collect()
        }
        None => return Err(Error::Unknown { what: "which axes have size 1".into() }),
    };
    let kept = (0..rank).filter(|axis| !axes.contains(axis));
    Ok(vec![Type::new(ty.elem, kept.map(|axis| dims[axis]).collect())])
}
