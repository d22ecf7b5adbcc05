//! Where relevance starts.

use super::Sweep;
use crate::{
    error::Error,
    ir::{self, Dim, Expr, Type, axis},
    onnx::{DataType, schema::TensorProto},
    options::{Init, Target},
};

/// What a sweep starts from.
pub struct Start<'e> {
    /// The relevance of the explained value.
    pub for_it: Expr<'e>,
    /// What a second sweep starts from, which is subtracted, where the rule is not linear.
    pub against: Option<Expr<'e>>,
}

impl<'e> Sweep<'_, 'e> {
    /// What sweeps start from: one, or one for each of several targets.
    pub fn starts(&self) -> Result<Vec<Start<'e>>, Error> {
        let how = &self.plan.start;
        let y = self.explained();
        self.emitter.enter(self.graph.name(self.plan.explained.value));
        let softmax = how.init == Init::Softmax;
        if how.target == Target::All && (how.contrastive || softmax) {
            let what = if softmax { "a start at softmax scores" } else { "a contrast" };
            return Err(Error::NeedsTarget { what: what.into() });
        }
        // A number has no classes to choose from.
        if how.target == Target::All || self.rank()? == 0 {
            return Ok(vec![Start { for_it: self.initial(y), against: None }]);
        }
        if how.target == Target::Max {
            let axes: Vec<_> = (usize::from(self.rank()? > 1)..self.rank()?).collect();
            return Ok(vec![self.start(&axes, self.largest(&axes)?)?]);
        }
        let classes = self.class_axis()?;
        let positions = self.positions(y, classes)?;
        let chosen = self.chosen(classes)?.into_iter();
        chosen.map(|class| self.start(&[classes], class.equals(positions))).collect()
    }

    fn positions(&self, y: Expr<'e>, axis: usize) -> Result<Expr<'e>, Error> {
        self.emitter.positions(y, axis).map_err(|e| self.refuse(e))
    }

    /// Where the largest element along several axes is, the last of all: the first one of equals.
    fn largest(&self, axes: &[usize]) -> Result<Expr<'e>, Error> {
        let y = self.explained();
        let Some(first) = axes.first().copied().filter(|_| axes.len() > 1) else {
            let axis = axes.first().copied().unwrap_or(0);
            return Ok(y.arg_max(axis).equals(self.positions(y, axis)?));
        };
        let shape: Vec<_> = std::iter::repeat_n(0, first).chain([-1]).collect();
        let row = y.reshape(&shape);
        let hit = row.arg_max(first).equals(self.positions(row, first)?);
        Ok(hit.reshape_like(y))
    }

    fn explained(&self) -> Expr<'e> {
        self.emitter.real(self.plan.explained.value)
    }

    fn refuse(&self, source: ir::Error) -> Error {
        Error::Target { name: self.graph.name(self.plan.explained.value).to_string(), source }
    }

    fn ty(&self) -> &Type {
        self.graph.ty(self.plan.explained.value)
    }

    fn rank(&self) -> Result<usize, Error> {
        let unknown = || self.refuse(ir::Error::Unknown { what: "its rank".into() });
        self.ty().rank().ok_or_else(unknown)
    }

    /// The axis that classes lie along.
    fn class_axis(&self) -> Result<usize, Error> {
        let rank = self.rank()?;
        match self.options.class_axis {
            Some(chosen) => axis(chosen, rank).map_err(|e| self.refuse(e)),
            None => Ok(usize::from(rank > 1)),
        }
    }

    /// The class of each target, per sample, in a shape that broadcasts against the classes.
    fn chosen(&self, classes: usize) -> Result<Vec<Expr<'e>>, Error> {
        let mut per_sample = vec![1; self.rank()?];
        per_sample[0] = -1;
        Ok(match &self.plan.start.target {
            Target::All | Target::Max => Vec::new(),
            Target::Argmax => vec![self.explained().arg_max(classes)],
            Target::Index(at) => vec![self.class(*at, classes)?],
            Target::Indices(all) => {
                all.iter().map(|&at| self.class(at, classes)).collect::<Result<_, _>>()?
            }
            Target::Input => vec![self.requested(None, classes)?.reshape(&per_sample)],
            Target::Inputs(count) => {
                let requested = self.requested(Some(*count), classes)?;
                let column = |at: usize| {
                    let bounds = [at, at + 1].map(|n| self.emitter.ints(&[n as i64]));
                    let column = requested.slice(1, bounds[0], bounds[1]);
                    Ok(column.map_err(|e| self.refuse(e))?.reshape(&per_sample))
                };
                (0..*count).map(column).collect::<Result<_, Error>>()?
            }
        })
    }

    /// A class by its index.
    fn class(&self, index: i64, classes: usize) -> Result<Expr<'e>, Error> {
        match self.ty().dim(classes) {
            Some(Dim::Known(count)) if index >= count => Err(Error::NoSuchClass { index, count }),
            _ => Ok(self.emitter.constant(TensorProto::of_ints(&[], &[index]))),
        }
    }

    /// The graph input that names a class per sample, or this many.
    fn requested(&self, count: Option<usize>, classes: usize) -> Result<Expr<'e>, Error> {
        if self.graph.by_name("target").is_some() {
            return Err(Error::NameTaken { name: "target".into() });
        }
        let several = self.rank()? > 1;
        if classes == 0 && several {
            return Err(Error::TargetPerSample { axis: classes });
        }
        let batch = self.ty().dim(0).filter(|_| several).unwrap_or(Dim::Known(1));
        let count = count.map(|count| Dim::Known(count as i64));
        let dims = [batch].into_iter().chain(count).collect();
        Ok(self.emitter.input("target", Type::new(DataType::Int64, dims)))
    }

    /// What the sweep for one of the elements along some axes starts from; `hit` says where it is.
    fn start(&self, axes: &[usize], hit: Expr<'e>) -> Result<Start<'e>, Error> {
        let (how, y) = (&self.plan.start, self.explained());
        let elem = y.ty().elem;
        if how.init == Init::Softmax {
            let &[classes] = axes else {
                let what = "a start at the softmax score of one of several axes' elements".into();
                return Err(self.refuse(ir::Error::Unsupported { what }));
            };
            let p = y.softmax(classes).map_err(|e| self.refuse(e))?;
            let score = p.where_or(hit, 0.0).sum(axes, true);
            let for_it = (score * (hit.cast(elem) - p)).named("start");
            return Ok(Start { for_it, against: None });
        }
        let own = self.initial(y).where_or(hit, 0.0);
        if !how.contrastive {
            return Ok(Start { for_it: own.named("start"), against: None });
        }
        // As much again, spread over the others.
        let counts: Option<Vec<_>> =
            axes.iter().map(|&axis| self.ty().dim(axis).and_then(Dim::known)).collect();
        let others = match counts {
            Some(counts) => {
                let count = counts.into_iter().map(|count| count as f64).product::<f64>();
                self.emitter.scalar(elem, (count - 1.0).max(1.0))
            }
            None => {
                let sizes = axes.iter().map(|&axis| y.size(axis).cast(elem));
                sizes.reduce(|a, b| a * b).unwrap_or(y) - 1.0
            }
        };
        let spread = (own.sum(axes, true) / others) * (1.0 - hit.cast(elem));
        Ok(if self.plan.is_linear(self.graph) {
            Start { for_it: (own - spread).named("start"), against: None }
        } else {
            Start { for_it: own.named("start"), against: Some(spread.named("contrast")) }
        })
    }

    /// The relevance that a class starts with.
    fn initial(&self, y: Expr<'e>) -> Expr<'e> {
        match self.plan.start.init {
            Init::Value | Init::Softmax => y,
            Init::Abs => y.abs(),
            Init::One => self.emitter.scalar(y.ty().elem, 1.0).expand_like(y),
        }
    }
}
