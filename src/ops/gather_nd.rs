//! `GatherND`: parts by lists of indices.

use super::movement::{MOVEMENT, Movement};
use crate::{
    ir::{Call, Dim, Error, Expr, NodeRef, Operator, Type},
    onnx::DataType,
};

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
    if batch > outer.len() || data_dims.iter().zip(outer).take(batch).any(|(a, b)| a.differs(*b)) {
        let what = format!("indices for {batch} axes of batches that the data do not have");
        return Err(Error::Shapes { what });
    }
    let inner = batch.saturating_add(usize::try_from(*depth).unwrap_or(usize::MAX));
    let Some(rest) = data_dims.get(inner..) else {
        return Err(Error::Shapes {
            what: format!("{depth} indices into {} axes", data_dims.len()),
        });
    };
    Ok(vec![Type::new(data.elem, [outer, rest].concat())])
}

fn adjoint<'e>(call: &Call<'_, 'e>, s: Expr<'e>) -> Result<Expr<'e>, Error> {
    let (x, indices, emitter) = (call.x(0)?, call.raw(1)?, call.emitter());
    let batch = usize::try_from(call.node.int("batch_dims", 0)?).unwrap_or_default();
    if batch == 0 && call.node.opset() >= 16 {
        return s.scatter_nd_add(indices, x);
    }
    // Without a scatter that adds, and of batches, parts lie along one axis again.
    let last = indices.rank()?.saturating_sub(1);
    let Some(Dim::Known(depth)) = indices.ty().dim(last) else {
        return Err(Error::Unknown { what: "how many indices GatherND takes".into() });
    };
    let axes = batch + depth as usize;
    let one = emitter.ints(&[1]);
    let mut place = emitter.ints(&[0]);
    for axis in 0..axes {
        let size = x.size(axis);
        let index = match axis.checked_sub(batch) {
            None => emitter.positions(indices, axis)?,
            Some(at) => {
                let index = indices.part(last, at as i64, at as i64 + 1).cast(DataType::Int64);
                // From the end, where negative.
                emitter.emit("Mod", &[Some(index + size), Some(size)], vec![])
            }
        };
        place = place * size + index;
    }
    let inner = (axes..x.rank()?).fold(one, |count, axis| count * x.size(axis));
    let rest = emitter.ints(&[-1]);
    let parts = |v: Expr<'e>| v.reshape_to(Expr::listed(&[rest, inner]).unwrap_or(rest));
    let count = (0..axes).fold(one, |count, axis| count * x.size(axis));
    let places = place.reshape(&[-1]);
    Ok(parts(s).put_at(places, false, 0, count)?.reshape_like(x))
}
