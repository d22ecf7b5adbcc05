//! `SequenceAt` and `ConcatFromSequence`: of what `SplitToSequence` makes of a tensor, an element is a part of it; of
//! what `SequenceConstruct` was given, it is one of its operands.

use super::{CallSite, Contrib};
use crate::{
    ir::{Dim, Error, Expr, NodeRef, axis},
    onnx::{attribute::int, schema::TensorProto},
};

pub(super) const CONTRIB: Contrib = Contrib {
    names: &[("", "SequenceAt"), ("", "ConcatFromSequence")],
    since: Some(11),
    body: |call| {
        let sequence = call.x(0)?;
        if call.name == "SequenceAt" {
            let index = call.x(1)?.value();
            let ints = call.emitter.graph().facts(index).ints().map(<[Dim]>::to_vec);
            let index = ints.and_then(|ints| ints.first()?.known());
            return Ok(vec![Some(
                index.and_then(|at| element(call, sequence, at)).ok_or_else(unknown)?,
            )]);
        }
        let count = count(sequence).filter(|count| (1..=1 << 12).contains(count));
        let elements = (0..count.unwrap_or(0)).map(|at| element(call, sequence, at));
        let mut elements: Vec<_> = elements.collect::<Option<_>>().ok_or_else(unknown)?;
        let first = *elements.first().ok_or_else(unknown)?;
        let stacks = call.int("new_axis", 0)? != 0;
        let rank = first.rank()? + usize::from(stacks);
        let along = axis(call.int("axis", 0)?, rank)?;
        if stacks {
            elements = elements.into_iter().map(|part| part.unsqueeze(&[along])).collect();
        }
        Ok(vec![Expr::concat(&elements, along)])
    },
};

fn unknown() -> Error {
    let what = "a sequence, save at known places of one from SplitToSequence or SequenceConstruct,";
    Error::Unsupported { what: what.into() }
}

/// How many elements a sequence has.
fn count(sequence: Expr) -> Option<i64> {
    sequence.asked(|graph, value| {
        let made = graph.node(value.node);
        match (made.op_type(), made.input(1)) {
            ("SequenceConstruct", _) => Some(made.inputs().len() as i64),
            ("SplitToSequence", sizes) => {
                let along = made.axis("axis", 0, made.rank(0).ok()?).ok()?;
                let total = || made.ty(0).ok()?.dim(along)?.known();
                match sizes.map(|sizes| graph.ty(sizes).rank()) {
                    None => total(),
                    Some(Some(0)) => match *made.constant_ints(1)?.first()? {
                        size @ 1.. => Some(total()?.checked_add(size - 1)? / size),
                        _ => None,
                    },
                    Some(_) => Some(made.constant_ints(1)?.len() as i64),
                }
            }
            _ => None,
        }
    })
}

/// The element of that index.
fn element<'e>(call: &CallSite<'_, 'e>, sequence: Expr<'e>, index: i64) -> Option<Expr<'e>> {
    let value = sequence.value();
    let graph = call.emitter.graph();
    let made = graph.node(value.node);
    if made.op_type() == "SequenceConstruct" {
        let at = axis(index, made.inputs().len()).ok()?;
        return made.input(at).map(|operand| call.emitter.expr(operand));
    }
    if made.op_type() != "SplitToSequence" {
        return None;
    }
    let (from, size) = part(made, index)?;
    let along = made.axis("axis", 0, made.rank(0).ok()?).ok()?;
    let squeezed = made.input(1).is_none() && made.int("keepdims", 1).ok()? == 0;
    let x = call.emitter.expr(made.input(0)?);
    drop(graph);
    if !squeezed {
        // The last of equal parts may be smaller.
        let end =
            x.ty().dim(along).and_then(Dim::known).map_or(from + size, |n| n.min(from + size));
        return Some(x.part(along, from, end));
    }
    let at = call.emitter.constant(TensorProto::of_ints(&[], &[from]));
    let operands = [Some(x), Some(at)];
    Some(call.emitter.emit("Gather", &operands, vec![int("axis", along as i64)]))
}

/// Where the element of that index starts, and its size; `None` where it is counted from the end.
fn part(split: NodeRef, index: i64) -> Option<(i64, i64)> {
    let at = usize::try_from(index).ok()?;
    let Some(sizes) = split.input(1) else { return Some((index, 1)) };
    let known = split.constant_ints(1)?;
    let (from, size) = match split.graph().ty(sizes).rank() {
        Some(0) => (index.checked_mul(*known.first()?)?, *known.first()?),
        _ => {
            let mut before = known.get(..at)?.iter().copied();
            (before.try_fold(0, i64::checked_add)?, *known.get(at)?)
        }
    };
    from.checked_add(size).map(|_| (from, size))
}
