//! Maps: the relevance of every input, for every target, as it is shown.

use std::collections::{BTreeMap, BTreeSet};

use super::{Start, Sweep};
use crate::{
    error::{Error, Problem},
    ir::{self, Dim, Expr, Graph, Kind, Type, Value},
    onnx::{DataType, attribute::string},
    options::{Normalize, Options, Reduce},
    plan::{Coarse, Layout, Plan, Planned},
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
            let coarse = plan.map_at.filter(|_| plan.inputs.contains(&value));
            let source = coarse.map_or(value, |coarse| coarse.value);
            let Some(relevance) = all.get(&source) else { continue };
            let problem = |source| Error::Unit(Problem::new(graph, value.node, source));
            emitter.enter(graph.name(value));
            let maps = relevance.iter().map(|&r| match coarse {
                Some(coarse) => self.finished(self.coarse(coarse, value, self.shown(source, r))?),
                None => self.finished(self.shown(source, r)),
            });
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

    /// What is shown of the relevance of a value, in its shape.
    fn shown(&self, value: Value, r: Expr<'e>) -> Expr<'e> {
        let Self { graph, plan, emitter, .. } = *self;
        let mut r = r.assume(graph.ty(value).with(r.ty().elem));
        let ends = plan.map_at.map_or(plan.inputs.contains(&value), |c| c.value == value);
        if plan.times_input && ends && !self.indices().contains(&value) {
            let x = emitter.real(value);
            // Where nothing flows, nothing does through an infinite input either: 0 · ∞ = 0.
            let infinite = graph.facts(value).may_be_infinite;
            r = if infinite { x.where_or(r.is_nonzero(), 0.0) * r } else { x * r };
        }
        r
    }

    /// The map of an input by the relevance of a tensor that lies over it: summed over channels, and stretched to the
    /// input's size by linear interpolation, so that the sum stays what it is.
    fn coarse(&self, coarse: Coarse, input: Value, r: Expr<'e>) -> Result<Expr<'e>, ir::Error> {
        let (emitter, x) = (self.emitter, self.emitter.value(input));
        if emitter.opset() < 11 {
            return Err(ir::Error::Opset { what: "stretching a coarse map", since: 11 });
        }
        let mut r = match coarse.layout {
            Layout::Channels => r.sum(&[1], true),
            Layout::Tokens(rows, columns) => {
                let [first, end] = [-rows * columns, i64::MAX].map(|n| emitter.ints(&[n]));
                r.sum(&[2], false).slice(1, first, end)?.reshape(&[-1, 1, rows, columns])
            }
        };
        let mut axes: Vec<_> = (2..r.rank()?).collect();
        // Runtimes stretch along two axes or three.
        let line = axes.len() == 1;
        if line {
            r = r.unsqueeze(&[2]);
            axes = vec![3];
        }
        let rank = r.rank()?;
        let behind = |axis: usize| if line { axis - 1 } else { axis };
        let (mut scales, mut fewer) = (Some(vec![1.0; rank]), Vec::new());
        for &axis in &axes {
            let sizes =
                [r.ty().dim(axis), x.ty().dim(behind(axis))].map(|d| d.and_then(Dim::known));
            match sizes {
                [Some(from), Some(to)] if from > 0 => {
                    // By a fraction, runtimes would have to round.
                    let whole = scales.take().filter(|_| to % from == 0);
                    scales = whole.map(|mut scales| {
                        scales[axis] = (to / from) as f64;
                        scales
                    });
                    fewer.push(emitter.scalar(r.ty().elem, from as f64 / to as f64));
                }
                _ => {
                    scales = None;
                    let [from, to] =
                        [r.size(axis), x.size(behind(axis))].map(|n| n.cast(r.ty().elem));
                    fewer.push(from / to);
                }
            }
        }
        let sizes = match scales {
            Some(_) => None,
            None => {
                let size =
                    |axis| if axes.contains(&axis) { x.size(behind(axis)) } else { r.size(axis) };
                Expr::concat(&(0..rank).map(size).collect::<Vec<_>>(), 0)
            }
        };
        let scales = scales.map(|scales| emitter.floats(DataType::Float, &scales));
        let share = fewer.into_iter().reduce(|a, b| a * b).map_or(r, |share| r * share);
        let map = share.resize(None, scales, sizes, vec![string("mode", "linear")]);
        Ok(if line { map.squeeze(2) } else { map })
    }

    /// A map as it is given out.
    fn finished(&self, mut r: Expr<'e>) -> Result<Expr<'e>, ir::Error> {
        let Self { plan, options, .. } = *self;
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
pub fn ty(graph: &Graph, plan: &Plan, value: Value, options: &Options) -> Type {
    let ty = graph.ty(value);
    let mut dims = ty.shape.clone();
    if let Some(dims) = &mut dims {
        if plan.map_at.is_some() && plan.inputs.contains(&value) {
            dims.iter_mut().skip(1).take(1).for_each(|channels| *channels = Dim::Known(1));
        }
        if options.reduce == Reduce::Channels && dims.len() > 1 {
            dims.remove(1);
        }
        if let Some(count) = options.target.maps() {
            dims.insert(1.min(dims.len()), Dim::Known(count as i64));
        }
    }
    Type { elem: ty.relevance(), shape: dims }
}
