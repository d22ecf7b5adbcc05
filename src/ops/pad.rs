//! `Pad`: with a constant, or with what lies at the ends.

use crate::ir::{Call, Dim, Emitter, Error, Expr, Kind, NodeRef, Operator, Type};

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
        let mut ty = node.ty(0)?.clone();
        let (before, after) = match pads(node) {
            Err(Error::Unknown { .. }) => {
                let dims = ty.shape.map(|dims| vec![Dim::Unknown; dims.len()]);
                return Ok(vec![Type { shape: dims, ..ty }]);
            }
            pads => pads?,
        };
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
                _ => folded(out, x, axis, (before[axis], after[axis]), mode)?,
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

/// What lies between the pads, with what is in them added to the elements that it repeats. Negative pads
/// cut off before others repeat what is left.
fn folded<'e>(
    s: Expr<'e>,
    x: Expr<'e>,
    axis: usize,
    (before, after): (i64, i64),
    mode: &str,
) -> Result<Expr<'e>, Error> {
    let cut = before.min(0) + after.min(0);
    let size = x.ty().dim(axis).and_then(Dim::known).map(|n| n + cut);
    let pads = (before.max(0), after.max(0));
    let out = match mode {
        "wrap" => {
            let list = |n| s.emitter().ints(&[n]);
            let kept = size.map_or_else(|| x.size(axis) + list(cut), list);
            unwrapped(s, axis, pads, size, kept)?
        }
        _ => Along { axis, size }.mirrored(s, pads, mode == "edge")?,
    };
    let rank = s.rank()?;
    let (mut front, mut back) = (vec![0; rank], vec![0; rank]);
    (front[axis], back[axis]) = ((-before).max(0), (-after).max(0));
    Ok(out.pad(&front, &back, 0.0))
}

/// Every element added to the one that it repeats, which is its place modulo the size between the pads.
fn unwrapped<'e>(
    s: Expr<'e>,
    axis: usize,
    (front, back): (i64, i64),
    size: Option<i64>,
    kept: Expr<'e>,
) -> Result<Expr<'e>, Error> {
    if let Some(size) = size.filter(|&n| n > 0 && front + n + back <= Emitter::WRITTEN_OUT) {
        let places = (-front..size + back).map(|at| at.rem_euclid(size) as usize);
        if let Some(sums) = s.put_at_known(&places.collect::<Vec<_>>(), axis, size) {
            return Ok(sums);
        }
    }
    if size.is_some_and(|n| n <= 0) {
        return Err(Error::Unsupported {
            what: "a wrapped pad of nothing that could repeat".into(),
        });
    }
    let emitter = s.emitter();
    let places = emitter.positions(s, axis)?.reshape(&[-1]) - emitter.ints(&[front]);
    let places = emitter.emit("Mod", &[Some(places), Some(kept)], vec![]);
    s.put_at(places, false, axis, kept)
}

/// An axis, and its size between the pads where that is known.
#[derive(Clone, Copy)]
struct Along {
    axis: usize,
    size: Option<i64>,
}

impl Along {
    /// What lies between pads that repeat the elements beside them, the nearest first, or the outermost.
    fn mirrored(
        self,
        s: Expr<'_>,
        (front, back): (i64, i64),
        outermost: bool,
    ) -> Result<Expr<'_>, Error> {
        let mut out = self.part(s, front, if back > 0 { -back } else { i64::MAX })?;
        if front > 0 {
            let pad = self.part(s, 0, front)?;
            out = match outermost {
                true => self.add(out, pad.sum(&[self.axis], true), 0, 1)?,
                false => self.add(out, self.turned(pad, front)?, 1, front + 1)?,
            };
        }
        if back > 0 {
            let pad = self.part(s, -back, i64::MAX)?;
            out = match outermost {
                true => self.add(out, pad.sum(&[self.axis], true), -1, i64::MAX)?,
                false => self.add(out, self.turned(pad, back)?, -back - 1, -1)?,
            };
        }
        Ok(out)
    }

    /// The elements of `v` from one place to another, counted from the end where negative.
    fn part(self, v: Expr<'_>, from: i64, to: i64) -> Result<Expr<'_>, Error> {
        if (from, to) == (0, i64::MAX) {
            return Ok(v);
        }
        let [from, to] = [from, to].map(|at| v.emitter().ints(&[at]));
        v.slice(self.axis, from, to)
    }

    /// `v` with `more` added to the elements from one place to another, likewise.
    fn add<'e>(self, v: Expr<'e>, more: Expr<'e>, from: i64, to: i64) -> Result<Expr<'e>, Error> {
        let some = |place: i64, none: i64, end: i64| place != none && self.size != Some(end);
        let before = some(from, 0, -from).then(|| self.part(v, 0, from)).transpose()?;
        let after = some(to, i64::MAX, to).then(|| self.part(v, to, i64::MAX)).transpose()?;
        let changed = self.part(v, from, to)? + more;
        let parts: Vec<_> = before.into_iter().chain([changed]).chain(after).collect();
        Ok(Expr::concat(&parts, self.axis).unwrap_or(changed))
    }

    /// `count` elements, the last one first.
    fn turned(self, v: Expr<'_>, count: i64) -> Result<Expr<'_>, Error> {
        let emitter = v.emitter();
        if emitter.opset() >= 10 {
            let [from, to] = [-1, i64::MIN].map(|at| emitter.ints(&[at]));
            return v.strided(&[self.axis], from, to, Some(&[-1]));
        }
        if count > Emitter::WRITTEN_OUT {
            let what = format!("a pad of {count} elements before opset 10");
            return Err(Error::Unsupported { what });
        }
        v.at_places(&(0..count).rev().collect::<Vec<_>>(), self.axis)
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
