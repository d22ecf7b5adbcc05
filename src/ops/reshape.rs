//! `Reshape`: the same elements in another shape.

use super::movement::{Movement, RESHAPING};
use crate::ir::{Dim, Error, NodeRef, Operator, Type};

pub(super) const OPERATOR: &dyn Operator =
    &Movement { name: "Reshape", attributes: &["allowzero"], inputs: 2, infer, ..RESHAPING };

fn infer(node: NodeRef) -> Result<Vec<Type>, Error> {
    let ty = node.ty(0)?;
    let Some(wanted) = node.contents(1) else {
        // Not even the numbers that are asked for are known, but maybe how many.
        let rank = match node.ty(1)?.dim(0) {
            Some(Dim::Known(rank @ 0..=64)) => rank as usize,
            _ => return Ok(vec![Type { elem: ty.elem, shape: None }]),
        };
        return Ok(vec![Type::new(ty.elem, vec![Dim::Unknown; rank])]);
    };
    let copies = !node.flag("allowzero", false)?;
    let mut shape: Vec<_> = wanted.to_vec();
    if copies {
        for (axis, dim) in shape.iter_mut().enumerate().filter(|(_, d)| **d == Dim::Known(0)) {
            *dim = ty.dim(axis).unwrap_or(Dim::Unknown);
        }
    }
    if let Some(rest) = shape.iter().position(|d| *d == Dim::Known(-1)) {
        shape[rest] = Dim::Known(1);
        shape[rest] = ty.shape.as_ref().map_or(Dim::Unknown, |dims| quotient(dims, &shape));
    }
    if shape.iter().any(|d| d.known().is_some_and(|n| n < 0)) {
        return Err(Error::Shapes { what: "a shape with a negative size".into() });
    }
    let out = Type::new(ty.elem, shape);
    match (ty.count(), out.count()) {
        (Some(have), Some(wanted)) if have != wanted => {
            Err(Error::Shapes { what: format!("{have} elements in a shape of {wanted}") })
        }
        // Whatever the open sizes are, their number is a multiple of what the others make.
        (None, Some(wanted)) if !ty.is_empty() && wanted as f64 % ty.least_count() > 0.0 => {
            let what =
                format!("a multiple of {} elements in a shape of {wanted}", ty.least_count());
            Err(Error::Shapes { what })
        }
        _ => Ok(vec![out]),
    }
}

/// What is left for −1: the elements of `from` over those of `to`, where symbols that stand in both
/// cancel.
fn quotient(from: &[Dim], to: &[Dim]) -> Dim {
    let mut symbols: Vec<_> = from.iter().filter(|d| d.known().is_none()).copied().collect();
    for dim in to.iter().filter(|d| d.known().is_none()) {
        match symbols.iter().position(|s| s == dim) {
            Some(i) => drop(symbols.swap_remove(i)),
            None => return Dim::Unknown,
        }
    }
    let product = |dims: &[Dim]| {
        dims.iter().filter_map(|d| d.known()).try_fold(1i64, |n, d| n.checked_mul(d))
    };
    match (product(from), product(to), symbols.as_slice()) {
        (Some(a), Some(b), []) if b > 0 && a % b == 0 => Dim::Known(a / b),
        (Some(a), Some(b), [symbol]) if a == b => *symbol,
        _ => Dim::Unknown,
    }
}
