//! `Transpose`: axes in another order.

use super::movement::{MOVEMENT, Movement};
use crate::ir::{Array, Call, Error, Evaluation, Expr, NodeRef, Operator, Type};

pub(super) const OPERATOR: &dyn Operator =
    &Movement { name: "Transpose", attributes: &["perm"], infer, eval, adjoint, ..MOVEMENT };

fn infer(node: NodeRef) -> Result<Vec<Type>, Error> {
    let rank = node.rank(0)?;
    let order = order(node, rank)?;
    let ty = node.ty(0)?;
    let shape = order.iter().filter_map(|&axis| ty.dim(axis)).collect();
    Ok(vec![Type::new(ty.elem, shape)])
}

fn eval(of: &Evaluation) -> Option<Array> {
    let order = order(of.node, of.shape.len()).ok()?.into_iter().zip(of.shape);
    of.x(0)?.along(&order.map(|(axis, &size)| (axis, (0..size).collect())).collect::<Vec<_>>())
}

fn adjoint<'e>(call: &Call<'_, 'e>, s: Expr<'e>) -> Result<Expr<'e>, Error> {
    let order = order(call.node, call.node.rank(0)?)?;
    let mut inverse = vec![0; order.len()];
    order.iter().enumerate().for_each(|(to, &from)| inverse[from] = to);
    Ok(s.transpose(&inverse))
}

/// The permutation, checked; reversed axes by default.
fn order(node: NodeRef, rank: usize) -> Result<Vec<usize>, Error> {
    let Some(perm) = node.ints("perm")? else { return Ok((0..rank).rev().collect()) };
    let order: Vec<_> = perm.iter().filter_map(|&a| usize::try_from(a).ok()).collect();
    let mut sorted = order.clone();
    sorted.sort_unstable();
    if sorted == (0..rank).collect::<Vec<_>>() {
        return Ok(order);
    }
    Err(Error::Attribute {
        name: "perm".into(),
        what: format!("{perm:?} is no order of {rank} axes"),
    })
}
