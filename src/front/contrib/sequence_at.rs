//! `SequenceAt`: an element of what `SplitToSequence` makes of a tensor is a part of the tensor.

use super::Contrib;
use crate::{
    ir::{Error, NodeRef},
    onnx::{attribute::int, schema::TensorProto},
};

pub(super) const CONTRIB: Contrib = Contrib {
    names: &[("", "SequenceAt")],
    since: Some(11),
    body: |call| {
        let (sequence, index) = (call.x(0)?.value(), call.x(1)?.value());
        let graph = call.emitter.graph();
        let split = graph.node(sequence.node);
        let known = graph.facts(index).ints().and_then(|ints| ints.first()?.known());
        let place = known.filter(|_| split.op_type() == "SplitToSequence");
        let (from, size) = place.and_then(|index| part(split, index)).ok_or_else(|| {
            let what =
                "an element of a sequence, save at a known place of one from SplitToSequence,";
            Error::Unsupported { what: what.into() }
        })?;
        let axis = split.axis("axis", 0, split.rank(0)?)?;
        let squeezed = split.input(1).is_none() && split.int("keepdims", 1)? == 0;
        let x = call.emitter.expr(split.required(0)?);
        drop(graph);
        if !squeezed {
            return Ok(vec![Some(x.part(axis, from, from + size))]);
        }
        let at = call.emitter.constant(TensorProto::of_ints(&[], &[from]));
        let axis = vec![int("axis", axis as i64)];
        Ok(vec![Some(call.emitter.emit("Gather", &[Some(x), Some(at)], axis))])
    },
};

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
