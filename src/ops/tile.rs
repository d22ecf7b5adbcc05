//! `Tile`: copies side by side.

use super::movement::{MOVEMENT, Movement};
use crate::ir::{Array, Call, Dim, Error, Evaluation, Expr, NodeRef, Operator, Type};

pub(super) const OPERATOR: &dyn Operator =
    &Movement { name: "Tile", inputs: 2, infer, eval, adjoint, ..MOVEMENT };

fn infer(node: NodeRef) -> Result<Vec<Type>, Error> {
    let ty = node.ty(0)?;
    let (Some(dims), Some(repeats)) = (&ty.shape, node.contents(1)) else {
        let dims = ty.rank().map(|rank| vec![Dim::Unknown; rank]);
        return Ok(vec![Type { elem: ty.elem, shape: dims }]);
    };
    let dim = |(dim, times): (&Dim, &Dim)| match (dim, times) {
        (Dim::Known(n), Dim::Known(times)) => {
            n.checked_mul(*times).map_or(Dim::Unknown, Dim::Known)
        }
        (dim, Dim::Known(1)) => *dim,
        (_, Dim::Known(0)) => Dim::Known(0),
        _ => Dim::Unknown,
    };
    Ok(vec![Type::new(ty.elem, dims.iter().zip(repeats).map(dim).collect())])
}

fn eval(of: &Evaluation) -> Option<Array> {
    let sizes = of.x(0)?.shape().iter().zip(of.shape).enumerate();
    let places = |(axis, (&size, &whole)): (usize, (&usize, &usize))| {
        (axis, (0..size).cycle().take(whole).collect())
    };
    of.x(0)?.along(&sizes.map(places).collect::<Vec<_>>())
}

fn adjoint<'e>(call: &Call<'_, 'e>, s: Expr<'e>) -> Result<Expr<'e>, Error> {
    let x = call.raw(0)?;
    let repeats = call.node.constant_ints(1);
    let repeats = repeats.ok_or(Error::Unknown { what: "how often Tile repeats".into() })?;
    let dims = x.ty().shape.unwrap_or_default();
    // Copies get an axis of their own, before the axis they are copies of.
    let mut split = Vec::new();
    for (axis, (dim, &times)) in dims.iter().zip(&repeats).enumerate() {
        split.extend((times != 1).then(|| call.emitter().ints(&[times])));
        split.push(match dim {
            Dim::Known(size) => call.emitter().ints(&[*size]),
            _ => x.size(axis),
        });
    }
    let copies: Vec<_> = (0..repeats.len()).filter(|&axis| repeats[axis] != 1).collect();
    let copies: Vec<_> = copies.iter().enumerate().map(|(i, axis)| i + axis).collect();
    let Some(shape) = Expr::concat(&split, 0).filter(|_| !copies.is_empty()) else {
        return Ok(s);
    };
    Ok(s.reshape_to(shape).sum(&copies, false))
}
