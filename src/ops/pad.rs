//! `Pad`: with a constant, or with what lies at the ends.

use crate::ir::{Call, Dim, Error, Expr, Kind, NodeRef, Operator, Type};

pub(super) const OPERATOR: &dyn Operator = &Pad;

struct Pad;

const MODES: [&str; 4] = ["constant", "reflect", "edge", "wrap"];

impl Operator for Pad {
    fn names(&self) -> &[&'static str] {
        &["Pad"]
    }

    fn attributes(&self) -> &[&'static str] {
        &["mode", "pads", "value"]
    }

    fn arity(&self) -> usize {
        4
    }

    fn infer(&self, node: NodeRef) -> Result<Vec<Type>, Error> {
        let (before, after) = pads(node)?;
        let mut ty = node.ty(0)?.clone();
        for (axis, dim) in ty.shape.iter_mut().flatten().enumerate() {
            let more = before[axis].saturating_add(after[axis]);
            *dim = dim.map(more == 0, |size| size.saturating_add(more));
        }
        Ok(vec![ty])
    }

    fn kind(&self, _node: NodeRef) -> Result<Kind, Error> {
        Ok(Kind::Movement)
    }

    fn flows(&self, _node: NodeRef, operand: usize) -> bool {
        operand == 0
    }

    fn adjoint<'e>(&self, call: &Call<'_, 'e>, wrt: usize, s: Expr<'e>) -> Result<Expr<'e>, Error> {
        let (before, after) = pads(call.node)?;
        let x = call.raw(wrt)?;
        let mode = call.node.one_of("mode", &MODES)?;
        let mut out = s;
        for axis in (0..before.len()).filter(|&axis| (before[axis], after[axis]) != (0, 0)) {
            out = match mode {
                "constant" => inner(out, x, axis, before[axis], after[axis])?,
                _ => mirrored(out, x, axis, before[axis], after[axis], mode)?,
            };
        }
        Ok(out)
    }
}

/// What lies between the pads; zeros where they cut off.
fn inner<'e>(
    s: Expr<'e>,
    x: Expr<'e>,
    axis: usize,
    before: i64,
    after: i64,
) -> Result<Expr<'e>, Error> {
    let emitter = s.emitter();
    let kept =
        x.ty().dim(axis).map(|dim| dim.map(true, |size| size + before.min(0) + after.min(0)));
    let from = emitter.ints(&[before.max(0)]);
    let to = match kept {
        Some(Dim::Known(kept)) => emitter.ints(&[before.max(0) + kept.max(0)]),
        _ => x.size(axis) + emitter.ints(&[before + after.min(0)]),
    };
    let s = if before > 0 || after > 0 { s.slice(axis, from, to)? } else { s };
    let rank = s.rank()?;
    let (mut front, mut back) = (vec![0; rank], vec![0; rank]);
    (front[axis], back[axis]) = ((-before).max(0), (-after).max(0));
    Ok(s.pad(&front, &back, 0.0))
}

/// What lies between the pads, with what is in them added to the elements that it repeats: those
/// that the operator makes of the identity.
fn mirrored<'e>(
    s: Expr<'e>,
    x: Expr<'e>,
    axis: usize,
    before: i64,
    after: i64,
    mode: &str,
) -> Result<Expr<'e>, Error> {
    let emitter = s.emitter();
    let identity = x.identity_along(axis, s.ty().elem)?;
    let matrix = identity.pad_with_own(&[0, before], &[0, after], mode);
    if before < 0 || after < 0 {
        return s.times_along(axis, matrix);
    }
    // Only the pads need the matrix; the rest stays where it is.
    let end = x.size(axis) + emitter.ints(&[before]);
    let rest = emitter.ints(&[i64::MAX]);
    let ends = |v: Expr<'e>, axis: usize| -> Result<Option<Expr<'e>>, Error> {
        let first = v.slice(axis, emitter.ints(&[0]), emitter.ints(&[before]))?;
        Ok(Expr::concat(&[first, v.slice(axis, end, rest)?], axis))
    };
    let middle = s.slice(axis, emitter.ints(&[before]), end)?;
    match (ends(s, axis)?, ends(matrix, 1)?) {
        (Some(pads), Some(matrix)) => Ok(middle + pads.times_along(axis, matrix)?),
        _ => Ok(middle),
    }
}

/// The elements added before and after each axis: an attribute before opset 11, an operand since,
/// and since 18 for chosen axes.
fn pads(node: NodeRef) -> Result<(Vec<i64>, Vec<i64>), Error> {
    let rank = node.rank(0)?;
    let unknown = |what: &str| Error::Unknown { what: what.into() };
    let stated = if node.opset() < 11 {
        node.ints("pads")?.unwrap_or_default().to_vec()
    } else {
        node.constant_ints(1).ok_or_else(|| unknown("how much Pad adds"))?
    };
    let axes = match node.input(3) {
        Some(_) => node.constant_ints(3).ok_or_else(|| unknown("the axes of Pad"))?,
        None => (0..rank as i64).collect(),
    };
    let possible = stated.iter().all(|n| (-(1 << 31)..=1 << 31).contains(n));
    if stated.len() != 2 * axes.len() || !possible {
        return Err(Error::Shapes { what: format!("pads {stated:?} for {} axes", axes.len()) });
    }
    let (mut before, mut after) = (vec![0; rank], vec![0; rank]);
    for (i, &a) in axes.iter().enumerate() {
        let axis = crate::ir::axis(a, rank)?;
        (before[axis], after[axis]) = (stated[i], stated[axes.len() + i]);
    }
    Ok((before, after))
}
