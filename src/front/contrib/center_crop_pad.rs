//! `CenterCropPad`: cut off or continued by zeros on both sides alike, to a size.

use super::Contrib;
use crate::ir::{Dim, Error, Expr, axis};

pub(super) const CONTRIB: Contrib = Contrib {
    names: &[("", "CenterCropPad")],
    since: Some(18),
    body: |call| {
        let (mut y, emitter) = (call.x(0)?, call.emitter);
        let rank = y.rank()?;
        let axes = match call.attribute("axes").ints("axes")? {
            Some(axes) => axes.iter().map(|&a| axis(a, rank)).collect::<Result<Vec<_>, _>>()?,
            None => (0..rank).collect(),
        };
        let sizes = call.x(1)?;
        let wanted: Vec<_> = {
            let (value, graph) = (sizes.value(), emitter.graph());
            let known = graph.facts(value).ints().unwrap_or_default();
            known.iter().map(|dim| dim.known()).collect()
        };
        for (place, &axis) in axes.iter().enumerate() {
            let want = wanted.get(place).copied().flatten().filter(|size| *size >= 0);
            let want = want.ok_or(Error::Unknown { what: "the size to crop to".into() })?;
            y = centred(y, axis, want)?;
        }
        Ok(vec![Some(y)])
    },
};

/// The middle of an axis, or the axis in the middle of zeros.
fn centred(x: Expr<'_>, axis: usize, want: i64) -> Result<Expr<'_>, Error> {
    let mut zeros = vec![0; x.rank()?];
    if let Some(Dim::Known(have)) = x.ty().dim(axis) {
        let (surplus, missing) =
            (have.saturating_sub(want).max(0), want.saturating_sub(have).max(0));
        let (mut before, mut after) = (zeros.clone(), zeros);
        (before[axis], after[axis]) = (missing / 2, missing - missing / 2);
        let kept = x.part(axis, surplus / 2, surplus / 2 + have.min(want));
        return Ok(kept.pad(&before, &after, 0.0));
    }
    // Cut out of what has as many zeros on either side as could be needed.
    let (emitter, have) = (x.emitter(), x.size(axis));
    zeros[axis] = want;
    let [none, two, size] = [0, 2, want].map(|n| emitter.ints(&[n]));
    let half = |v| emitter.emit("Max", &[Some(v), Some(none)], vec![]) / two;
    let from = size + half(have - size) - half(size - have);
    x.pad(&zeros, &zeros, 0.0).slice(axis, from, from + size)
}
