//! `Slice`.

use super::movement::{MOVEMENT, Movement};
use crate::ir::{
    Array, Call, Dim, Emitter, Error, Evaluation, Expr, NodeRef, Operator, Type, axis,
};

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
    let cuts = match cuts(node) {
        Err(Error::Unknown { .. }) => {
            let open = ty.shape.map(|dims| vec![Dim::Unknown; dims.len()]);
            return Ok(vec![Type { shape: open, ..ty }]);
        }
        known => known?,
    };
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

/// Zeros where elements were cut off, along one axis after the other.
fn adjoint<'e>(call: &Call<'_, 'e>, s: Expr<'e>) -> Result<Expr<'e>, Error> {
    let (x, rank) = (call.raw(0)?, call.node.rank(0)?);
    let (mut before, mut after, mut open) = (vec![0; rank], vec![0; rank], Vec::new());
    let mut out = s;
    let cuts = match cuts(call.node) {
        Err(Error::Unknown { .. }) => return put_back(call, x, s),
        known => known?,
    };
    for (i, cut) in cuts.into_iter().enumerate() {
        let Cut { axis, bounds: stated, step } = cut;
        if stated == Some((0, i64::MAX)) && step == 1 {
            continue;
        }
        let (Some((start, end)), Some(Dim::Known(size))) = (stated, x.ty().dim(axis)) else {
            open.push((i, cut));
            continue;
        };
        let (from, to) = bounds(start, end, step, size);
        if step == 1 {
            (before[axis], after[axis]) = (from, size - to.max(from));
            continue;
        }
        let kept = Some(count(from, to, step)).filter(|kept| *kept <= Emitter::WRITTEN_OUT);
        let places = kept.map(|kept| (0..kept).map(|i| (from + i * step) as usize));
        let places: Option<Vec<_>> = places.map(Iterator::collect);
        match places.and_then(|places| out.put_at_known(&places, axis, size)) {
            Some(spread) => out = spread,
            None => open.push((i, cut)),
        }
    }
    out = out.pad(&before, &after, 0.0);
    for (i, cut) in open {
        out = restored(call, x, out, i, &cut)?;
    }
    Ok(out)
}

/// The adjoint where axes or steps only show at run time: what the operator makes of the places themselves says which
/// were kept.
fn put_back<'e>(call: &Call<'_, 'e>, x: Expr<'e>, s: Expr<'e>) -> Result<Expr<'e>, Error> {
    let (list, emitter) = (x.reshape(&[-1]), call.emitter());
    let places = emitter.positions(list, 0)?.reshape_like(x);
    let mut operands = vec![Some(places)];
    operands.extend((1..call.arity()).map(|operand| call.raw(operand).ok()));
    let kept = emitter.emit("Slice", &operands, vec![]).reshape(&[-1]);
    Ok(s.reshape(&[-1]).put_at(kept, true, 0, list.size(0))?.reshape_like(x))
}

/// The adjoint along an axis of which the size or the `i`-th bounds only show at run time.
fn restored<'e>(
    call: &Call<'_, 'e>,
    x: Expr<'e>,
    s: Expr<'e>,
    i: usize,
    cut: &Cut,
) -> Result<Expr<'e>, Error> {
    let (emitter, rank, &Cut { axis, bounds: stated, step }) = (call.emitter(), s.rank()?, cut);
    // A list that is turned around is turned back; ends lie before all that there may be.
    if step == -1 && stated.is_some_and(|(from, to)| from == -1 && to <= i32::MIN.into()) {
        let [from, to] = [-1, i64::MIN].map(|at| emitter.ints(&[at]));
        return s.strided(&[axis], from, to, Some(&[-1]));
    }
    let element = |operand: usize, known: Option<i64>| match known {
        Some(known) => Ok(emitter.ints(&[known])),
        None => Ok(call.raw(operand)?.element(i)),
    };
    let from = element(1, stated.map(|(start, _)| start))?;
    let to = element(2, stated.map(|(_, end)| end))?;
    // What the operator makes of the places themselves says which were kept, and how many lie before.
    let places = emitter.positions(x, axis)?.reshape(&[-1]);
    if step == 1 {
        let none = emitter.ints(&[0]);
        let before = if stated.is_some_and(|(start, _)| start == 0) {
            none
        } else {
            places.slice(0, none, from)?.unary("Shape")
        };
        let after = x.size(axis) - before - s.size(axis);
        let pads = (0..2 * rank).map(|at| match at {
            at if at == axis => before,
            at if at == axis + rank => after,
            _ => none,
        });
        return s.pad_by(Expr::listed(&pads.collect::<Vec<_>>()).unwrap_or(none), 0.0);
    }
    let kept = places.strided(&[0], from, to, Some(&[step]))?;
    s.put_at(kept, true, axis, x.size(axis))
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
