//! The part of a tensor that counts: a `Slice` behind it, which is explained in its place.

use super::functions::written;
use crate::{
    error::Error,
    ir::{self, Graph, Value},
    options::{Cut, Select},
};

/// Appends the cut to a graph, and gives the part.
pub fn part(graph: &mut Graph, of: Value, select: &Select) -> Result<Value, Error> {
    let name = graph.name(of).to_string();
    let refuse = |source| Error::Target { name: name.clone(), source };
    let rank = graph.ty(of).rank();
    let rank = rank.ok_or_else(|| refuse(ir::Error::Unknown { what: "its rank".into() }))?;
    let cuts = select.of_rank(rank).ok_or_else(|| {
        refuse(ir::Error::Shapes { what: format!("{select} of a tensor of {rank} axes") })
    })?;
    if cuts.is_empty() {
        return Ok(of);
    }
    let axes: Vec<_> = cuts.iter().map(|&(axis, _)| axis).collect();
    let list =
        |bound: &dyn Fn(&Cut) -> i64| cuts.iter().map(|(_, cut)| bound(cut)).collect::<Vec<_>>();
    let steps = list(&|cut| cut.step);
    let steps = steps.iter().any(|&step| step != 1).then_some(steps.as_slice());
    let (_, cut) = written(graph, &name, |emitter| {
        let starts = emitter.ints(&list(&|cut| cut.start.unwrap_or(0)));
        let stops = emitter.ints(&list(&|cut| cut.stop.unwrap_or(i64::MAX)));
        let part = emitter.value(of).strided(&axes, starts, stops, steps)?.value();
        emitter.check().map(|()| part)
    });
    let part = cut.map_err(refuse)?;
    // Messages and names go by the tensor.
    graph.dag[part.node].outputs[part.slot as usize].name = name;
    Ok(part)
}
