//! `Slice`.

use super::{Call, Error, Kind, Operator, Range};
use crate::graph::{Dim, Expr, Type, View, axis};

pub(super) const OPERATOR: &dyn Operator = &Slice;

struct Slice;

/// The elements kept along an axis.
struct Cut {
    axis: usize,
    start: i64,
    end: i64,
    step: i64,
}

impl Operator for Slice {
    fn names(&self) -> &[&'static str] {
        &["Slice"]
    }

    fn infer(&self, node: View) -> Result<Vec<Type>, Error> {
        let mut ty = node.ty(0)?.clone();
        let cuts = cuts(node)?;
        for Cut { axis, start, end, step } in cuts {
            let Some(dim) = ty.shape.as_mut().and_then(|dims| dims.get_mut(axis)) else { continue };
            *dim = dim.map(start == 0 && end == i64::MAX && step == 1, |size| {
                let (from, to) = bounds(start, end, step, size);
                let span = if step > 0 { to - from } else { from - to };
                (span.max(0) + step.abs() - 1) / step.abs()
            });
        }
        Ok(vec![ty])
    }

    fn kind(&self, _node: View) -> Result<Kind, Error> {
        Ok(Kind::Movement)
    }

    fn flows(&self, _node: View, operand: usize) -> bool {
        operand == 0
    }

    fn fold(&self, node: View) -> Option<Vec<Dim>> {
        let data = node.contents(0)?;
        match cuts(node).ok()?.as_slice() {
            &[Cut { axis: 0, start, end, step: 1 }] => {
                let (from, to) = bounds(start, end, 1, data.len() as i64);
                Some(data.get(from as usize..to as usize).unwrap_or_default().to_vec())
            }
            _ => None,
        }
    }

    fn range(&self, node: View) -> Range {
        node.range_of(0)
    }

    /// Zeros where elements were cut off.
    fn adjoint<'e>(
        &self,
        call: &Call<'_, 'e>,
        _wrt: usize,
        s: Expr<'e>,
    ) -> Result<Expr<'e>, Error> {
        let ty = call.node.ty(0)?;
        let rank = call.node.rank(0)?;
        let (mut before, mut after) = (vec![0; rank], vec![0; rank]);
        for Cut { axis, start, end, step } in cuts(call.node)? {
            let Some(Dim::Known(size)) = ty.dim(axis) else {
                return Err(Error::Unknown { what: format!("the size of axis {axis}") });
            };
            if step != 1 {
                return Err(Error::Unsupported { what: "Slice with steps".into() });
            }
            let (from, to) = bounds(start, end, step, size);
            (before[axis], after[axis]) = (from, size - to.max(from));
        }
        Ok(s.pad(&before, &after, 0.0))
    }
}

/// What is cut: attributes before opset 10, operands since.
fn cuts(node: View) -> Result<Vec<Cut>, Error> {
    let rank = node.rank(0)?;
    let list = |name: &str, operand: usize| -> Result<Option<Vec<i64>>, Error> {
        if node.opset() < 10 {
            return Ok(node.ints(name)?.map(<[i64]>::to_vec));
        }
        let unknown = || Error::Unknown { what: format!("the {name} of Slice") };
        node.input(operand).map(|_| node.constant_ints(operand).ok_or_else(unknown)).transpose()
    };
    let missing = |operand| Error::Operand { operand, what: "is missing".into() };
    let starts = list("starts", 1)?.ok_or_else(|| missing(1))?;
    let ends = list("ends", 2)?.ok_or_else(|| missing(2))?;
    let axes = list("axes", 3)?.unwrap_or_else(|| (0..starts.len() as i64).collect());
    let steps = list("steps", 4)?.unwrap_or_else(|| vec![1; starts.len()]);
    if [ends.len(), axes.len(), steps.len()] != [starts.len(); 3] || steps.contains(&0) {
        return Err(Error::Shapes { what: "starts, ends, axes and steps that do not fit".into() });
    }
    (0..starts.len())
        .map(|i| {
            Ok(Cut { axis: axis(axes[i], rank)?, start: starts[i], end: ends[i], step: steps[i] })
        })
        .collect()
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
