//! Maps: the relevance of every input, for every target, as it is shown.

use std::collections::{BTreeMap, BTreeSet};

use super::{Start, Sweep};
use crate::{
    error::{Error, Problem},
    ir::{self, Dim, Expr, Graph, Kind, Type, Value},
    options::{Normalize, Options, Reduce},
    plan::Planned,
};

impl<'e> Sweep<'_, 'e> {
    /// The values that are shown, and the maps of their relevance.
    pub fn maps(&self) -> Result<(Vec<Value>, Vec<Value>), Error> {
        let Self { graph, plan, emitter, .. } = *self;
        let mut all: BTreeMap<Value, Vec<Expr<'e>>> = BTreeMap::new();
        for start in self.starts()? {
            for (value, r) in self.contrasted(&start)? {
                all.entry(value).or_default().push(r);
            }
        }
        let (mut of, mut values) = (Vec::new(), Vec::new());
        // What is asked for of an input is shown already.
        let shown = plan.shown.iter().filter(|value| !plan.inputs.contains(value));
        for &value in plan.inputs.iter().chain(shown) {
            let Some(relevance) = all.get(&value) else { continue };
            let problem = |source| Error::Unit(Problem::new(graph, value.node, source));
            emitter.enter(graph.name(value));
            let maps = relevance.iter().map(|&r| self.shown(value, r));
            let maps = maps.collect::<Result<Vec<_>, _>>().map_err(problem)?;
            let axis = usize::from(graph.ty(value).rank().is_some_and(|rank| rank > 0));
            let map = if plan.start.target.maps().is_some() {
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

    /// The values whose relevance is that of parts of constants which they fetch.
    fn indices(&self) -> BTreeSet<Value> {
        let mut indices = BTreeSet::new();
        for Planned { unit, .. } in self.units {
            let fetches = unit.kind == Kind::Embedding;
            if fetches || unit.results(self.graph).any(|value| indices.contains(&value)) {
                indices.extend(unit.recipients(self.graph).into_iter().map(|(_, value)| value));
            }
        }
        indices
    }

    /// The relevance from a start, less that from what it is contrasted with.
    fn contrasted(&self, start: &Start<'e>) -> Result<BTreeMap<Value, Expr<'e>>, Error> {
        let mut relevance = self.run(start.for_it, &mut |_, _| ())?;
        if let Some(against) = start.against {
            let other = self.run(against, &mut |_, _| ())?;
            for (value, r) in &mut relevance {
                if let Some(other) = other.get(value) {
                    *r = *r - *other;
                }
            }
        }
        Ok(relevance)
    }

    /// What is shown of the relevance of a value.
    fn shown(&self, value: Value, r: Expr<'e>) -> Result<Expr<'e>, ir::Error> {
        let Self { graph, plan, options, emitter, .. } = *self;
        let mut r = r.assume(graph.ty(value).with(r.ty().elem));
        if plan.times_input && plan.inputs.contains(&value) && !self.indices().contains(&value) {
            let x = emitter.real(value);
            // Where nothing flows, nothing does through an infinite input either: 0 · ∞ = 0.
            let infinite = graph.facts(value).may_be_infinite;
            r = if infinite { x.where_or(r.is_nonzero(), 0.0) * r } else { x * r };
        }
        if options.reduce == Reduce::Channels && r.rank()? > 1 {
            r = r.sum(&[1], false);
        }
        if plan.start.normalize == Normalize::None {
            return Ok(r);
        }
        let axes: Vec<_> = (usize::from(r.rank()? > 1)..r.rank()?).collect();
        let scale = match plan.start.normalize {
            Normalize::Sum => r.abs().sum(&axes, true),
            _ => r.abs().max(&axes),
        };
        // Nothing stays nothing.
        Ok(r / scale.where_or(scale.greater(0.0), 1.0))
    }
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
