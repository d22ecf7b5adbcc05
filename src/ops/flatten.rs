//! `Flatten`: the axes before and from `axis` on, as two.

use super::movement::{Movement, RESHAPING};
use crate::ir::{Dim, Error, NodeRef, Operator, Type, axis};

pub(super) const OPERATOR: &dyn Operator =
    &Movement { name: "Flatten", attributes: &["axis"], infer, ..RESHAPING };

fn infer(node: NodeRef) -> Result<Vec<Type>, Error> {
    let ty = node.ty(0)?;
    let rank = node.rank(0)?;
    let at = node.int("axis", 1)?;
    // The axis may lie behind the last one.
    let at = if at == rank as i64 { rank } else { axis(at, rank)? };
    let product = |dims: &[Dim]| match dims {
        [Dim::Symbol(s), rest @ ..] | [rest @ .., Dim::Symbol(s)]
            if rest.iter().all(|d| *d == Dim::Known(1)) =>
        {
            Dim::Symbol(*s)
        }
        _ => {
            let known = dims.iter().map(|d| d.known()).collect::<Option<Vec<_>>>();
            let product = known.and_then(|k| k.iter().try_fold(1i64, |n, &d| n.checked_mul(d)));
            product.map_or(Dim::Unknown, Dim::Known)
        }
    };
    let dims = ty.shape.as_deref().unwrap_or_default();
    Ok(vec![Type::new(ty.elem, vec![product(&dims[..at]), product(&dims[at..])])])
}
