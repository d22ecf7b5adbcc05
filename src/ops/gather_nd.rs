//! `GatherND`: parts by lists of indices.

use super::movement::{MOVEMENT, Movement};
use crate::ir::{Call, Dim, Error, Expr, NodeRef, Operator, Type};

pub(super) const OPERATOR: &dyn Operator = &Movement {
    name: "GatherND",
    attributes: &["batch_dims"],
    inputs: 2,
    since: 11,
    infer,
    adjoint,
    ..MOVEMENT
};

fn infer(node: NodeRef) -> Result<Vec<Type>, Error> {
    let (data, indices) = (node.ty(0)?, node.ty(1)?);
    let batch = usize::try_from(node.int("batch_dims", 0)?).unwrap_or(usize::MAX);
    let (Some(data_dims), Some(index_dims)) = (&data.shape, &indices.shape) else {
        return Err(Error::Unknown { what: "the shape of the indices".into() });
    };
    let Some((Dim::Known(depth), outer)) = index_dims.split_last() else {
        return Err(Error::Unknown { what: "how many indices GatherND takes".into() });
    };
    let inner = batch.saturating_add(usize::try_from(*depth).unwrap_or(usize::MAX));
    let Some(rest) = data_dims.get(inner..) else {
        return Err(Error::Shapes {
            what: format!("{depth} indices into {} axes", data_dims.len()),
        });
    };
    Ok(vec![Type::new(data.elem, [outer, rest].concat())])
}

fn adjoint<'e>(call: &Call<'_, 'e>, s: Expr<'e>) -> Result<Expr<'e>, Error> {
    if call.node.int("batch_dims", 0)? != 0 {
        return Err(Error::Unsupported { what: "GatherND with batch_dims".into() });
    }
    s.scatter_nd_add(call.raw(1)?, call.x(0)?)
}
