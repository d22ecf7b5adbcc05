//! `Slice`.

use super::movement::{MOVEMENT, Movement};
use crate::ir::{Array, Call, Dim, Error, Evaluation, Expr, NodeRef, Operator, Type, axis};

pub(super) const OPERATOR: &dyn Operator = &Movement {
    name: "Slice",
    attributes: &["axes", "ends", "starts"],
    inputs: 5,
    infer,
    eval,
    adjoint,
    ..MOVEMENT
};

/// The elements kept along an axis.
struct Cut {
    axis: usize,
    /// `None` where they are computed.
    bounds: Option<(i64, i64)>,
    step: i64,
}

fn infer(node: NodeRef) -> Result<Vec<Type>, Error> {
    let mut ty = node.ty(0)?.clone();
    let cuts = cuts(node)?;
    for Cut { axis, bounds: stated, step } in cuts {
        let Some(dim) = ty.shape.as_mut().and_then(|dims| dims.get_mut(axis)) else { continue };
        let Some((start, end)) = stated else {
            *dim = Dim::Unknown;
            continue;
        };
        *dim = dim.map(start == 0 && end == i64::MAX && step == 1, |size| {
            let (from, to) = bounds(start, end, step, size);
            count(from, to, step)
        });
    }
    Ok(vec![ty])
}

fn eval(of: &Evaluation) -> Option<Array> {
    let x = of.x(0)?;
    let mut axes: Vec<_> = x.shape().iter().map(|&size| (0..size).collect()).enumerate().collect();
    for Cut { axis, bounds: stated, step } in cuts(of.node).ok()? {
        let (start, end) = stated?;
        let (from, to) = bounds(start, end, step, *x.shape().get(axis)? as i64);
        axes.get_mut(axis)?.1 =
            (0..count(from, to, step)).map(|i| (from + i * step) as usize).collect();
    }
    x.along(&axes)
}

/// Zeros where elements were cut off: added at the ends where those are known and there are no
/// steps, and by what the operator makes of the identity elsewhere.
fn adjoint<'e>(call: &Call<'_, 'e>, s: Expr<'e>) -> Result<Expr<'e>, Error> {
    let (x, rank, emitter) = (call.raw(0)?, call.node.rank(0)?, call.emitter());
    let (mut before, mut after) = (vec![0; rank], vec![0; rank]);
    let mut out = s;
    for (i, Cut { axis, bounds: stated, step }) in cuts(call.node)?.into_iter().enumerate() {
        if stated == Some((0, i64::MAX)) && step == 1 {
            continue;
        }
        if let (Some((start, end)), Some(Dim::Known(size)), 1) = (stated, x.ty().dim(axis), step) {
            let (from, to) = bounds(start, end, step, size);
            (before[axis], after[axis]) = (from, size - to.max(from));
            continue;
        }
        let element = |operand: usize, known: Option<i64>| match known {
            Some(known) => Ok(emitter.ints(&[known])),
            None => Ok(call.raw(operand)?.element(i)),
        };
        let identity = x.identity_along(axis, s.ty().elem)?;
        let from = element(1, stated.map(|(start, _)| start))?;
        let to = element(2, stated.map(|(_, end)| end))?;
        out = out.times_along(axis, identity.strided(&[1], from, to, Some(&[step]))?)?;
    }
    Ok(out.pad(&before, &after, 0.0))
}

/// What is cut: attributes before opset 10, operands since.
fn cuts(node: NodeRef) -> Result<Vec<Cut>, Error> {
    let rank = node.rank(0)?;
    let list = |name: &str, operand: usize| -> Result<Option<Vec<Option<i64>>>, Error> {
        if node.opset() < 10 {
            return Ok(node.ints(name)?.map(|list| list.iter().copied().map(Some).collect()));
        }
        let Some(value) = node.input(operand) else { return Ok(None) };
        let known = node.contents(operand).map(|dims| dims.iter().map(|d| d.known()).collect());
        let length = node.graph().ty(value).dim(0).and_then(Dim::known).filter(|n| *n <= 64);
        let unknown = || Error::Unknown { what: format!("the number of {name} of Slice") };
        Ok(Some(known.or(length.map(|n| vec![None; n as usize])).ok_or_else(unknown)?))
    };
    let known = |name: &str, list: Vec<Option<i64>>| -> Result<Vec<i64>, Error> {
        let unknown = || Error::Unknown { what: format!("the {name} of Slice") };
        list.into_iter().collect::<Option<_>>().ok_or_else(unknown)
    };
    let missing = |operand| Error::Operand { operand, what: "is missing".into() };
    let starts = list("starts", 1)?.ok_or_else(|| missing(1))?;
    let ends = list("ends", 2)?.ok_or_else(|| missing(2))?;
    let axes = match list("axes", 3)? {
        Some(axes) => known("axes", axes)?,
        None => (0..starts.len() as i64).collect(),
    };
    let steps = match list("steps", 4)? {
        Some(steps) => known("steps", steps)?,
        None => vec![1; starts.len()],
    };
    if [ends.len(), axes.len(), steps.len()] != [starts.len(); 3] || steps.contains(&0) {
        return Err(Error::Shapes { what: "starts, ends, axes and steps that do not fit".into() });
    }
    (0..starts.len())
        .map(|i| {
            Ok(Cut { axis: axis(axes[i], rank)?, bounds: starts[i].zip(ends[i]), step: steps[i] })
        })
        .collect()
}

/// The number of elements from one bound to another.
fn count(from: i64, to: i64, step: i64) -> i64 {
    let span = if step > 0 { to - from } else { from - to };
    span.max(0).saturating_add(step.saturating_abs() - 1) / step.saturating_abs()
}

/// The bounds on an axis of `size`: counted from the end if negative, and clamped.
fn bounds(start: i64, end: i64, step: i64, size: i64) -> (i64, i64) {
    let from_end = |at: i64| if at < 0 { at.saturating_add(size) } else { at };
    if step > 0 {
        let from = from_end(start).clamp(0, size);
        (from, from_end(end).clamp(from, size.max(from)))
    } else {
        (from_end(start).clamp(-1, size - 1), from_end(end).clamp(-1, size - 1))
    }
}
