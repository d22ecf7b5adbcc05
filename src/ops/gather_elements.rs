//! `GatherElements`: from each list along an axis, elements by their indices.

use super::movement::{MOVEMENT, Movement};
use crate::ir::{Call, Error, Expr, Operator};

pub(super) const OPERATOR: &dyn Operator = &Movement {
    name: "GatherElements",
    attributes: &["axis"],
    inputs: 2,
    since: 11,
    infer: |node| Ok(vec![node.ty(1)?.with(node.ty(0)?.elem)]),
    adjoint,
    ..MOVEMENT
};

fn adjoint<'e>(call: &Call<'_, 'e>, s: Expr<'e>) -> Result<Expr<'e>, Error> {
    let (x, indices) = (call.x(0)?, call.raw(1)?);
    let along = call.node.axis("axis", 0, call.node.rank(0)?)?;
    let zeros = call.emitter().zeros_like(s.ty().elem, x);
    s.scatter_add(indices, along, zeros)
}
