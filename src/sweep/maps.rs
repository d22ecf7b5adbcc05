//! Maps: the relevance of every input, for every target, as it is shown.

use std::collections::BTreeMap;

use super::start;
use crate::{
    error::{Error, Problem},
    ir::{self, Dim, Emitter, Expr, Graph, Type, Value},
    options::{Normalize, Options, Reduce},
    plan::Plan,
    sweep,
};

/// The values that are shown, and the maps of their relevance.
pub fn maps(
    graph: &Graph,
    plan: &Plan,
    options: &Options,
    emitter: &Emitter,
) -> Result<(Vec<Value>, Vec<Value>), Error> {
    let shown: Vec<_> = plan.inputs.iter().chain(&plan.shown).copied().collect();
    let mut all: BTreeMap<Value, Vec<Expr<'_>>> = BTreeMap::new();
    for start in start::starts(emitter, graph, plan, options)? {
        let mut relevance =
            sweep::sweep(graph, plan, options, emitter, start.for_it, &mut |_, _| ())?;
        if let Some(against) = start.against {
            let other = sweep::sweep(graph, plan, options, emitter, against, &mut |_, _| ())?;
            for (value, r) in &mut relevance {
                if let Some(other) = other.get(value) {
                    *r = *r - *other;
                }
            }
        }
        for (value, r) in relevance {
            all.entry(value).or_default().push(r);
        }
    }
    let (mut of, mut values) = (Vec::new(), Vec::new());
    for value in shown {
        let Some(relevance) = all.get(&value) else { continue };
        let problem = |source| Error::Unit(Problem::new(graph, value.node, source));
        emitter.enter(graph.name(value));
        let mut maps = Vec::with_capacity(relevance.len());
        for &r in relevance {
            maps.push(
                finish(graph, plan, options, emitter.real(value), value, r).map_err(problem)?,
            );
        }
        let axis = usize::from(graph.ty(value).rank().is_some_and(|rank| rank > 0));
        let map = if options.target.maps().is_some() {
            let layers: Vec<_> = maps.iter().map(|map| map.unsqueeze(&[axis])).collect();
            Expr::concat(&layers, axis)
        } else {
            maps.first().copied()
        };
        emitter.check().map_err(problem)?;
        of.push(value);
        values.extend(map.map(|map| map.value()));
    }
    Ok((of, values))
}

/// The type of a map of the relevance of a value.
pub fn ty(graph: &Graph, value: Value, options: &Options) -> Type {
    let ty = graph.ty(value);
    let mut dims = ty.shape.clone();
    if let Some(dims) = &mut dims {
        if options.reduce == Reduce::Channels && dims.len() > 1 {
            dims.remove(1);
        }
        if let Some(count) = options.target.maps() {
            dims.insert(1.min(dims.len()), Dim::Known(count as i64));
        }
    }
    Type { elem: ty.relevance(), shape: dims }
}

/// What is shown of a relevance.
fn finish<'e>(
    graph: &Graph,
    plan: &Plan,
    options: &Options,
    x: Expr<'e>,
    value: Value,
    r: Expr<'e>,
) -> Result<Expr<'e>, ir::Error> {
    let mut r = r.assume(graph.ty(value).with(r.ty().elem));
    if plan.times_input && plan.inputs.contains(&value) {
        r = x * r;
    }
    if options.reduce == Reduce::Channels && r.rank()? > 1 {
        r = r.sum(&[1], false);
    }
    let normalize = if plan.contrasts { Normalize::Max } else { options.normalize };
    if normalize == Normalize::None {
        return Ok(r);
    }
    let axes: Vec<_> = (usize::from(r.rank()? > 1)..r.rank()?).collect();
    let scale = match normalize {
        Normalize::Sum => r.abs().sum(&axes, true),
        _ => r.abs().max(&axes),
    };
    // Nothing stays nothing.
    Ok(r / scale.where_or(scale.greater(0.0), 1.0))
}
