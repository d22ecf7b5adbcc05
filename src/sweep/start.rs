//! Where relevance starts.

use crate::{
    error::Error,
    ir::{self, Dim, Emitter, Expr, Graph, Type, axis},
    onnx::{DataType, schema::TensorProto},
    options::{Init, Options, Target},
    plan::Plan,
};

/// What a sweep starts from.
pub struct Start<'e> {
    /// The relevance of the explained value.
    pub for_it: Expr<'e>,
    /// What a second sweep starts from, which is subtracted, where the rule is not linear.
    pub against: Option<Expr<'e>>,
}

/// What sweeps start from: one, or one for each of several targets.
pub fn starts<'e>(
    emitter: &'e Emitter,
    graph: &Graph,
    plan: &Plan,
    options: &Options,
) -> Result<Vec<Start<'e>>, Error> {
    let value = plan.explained.value;
    let refuse = |source| Error::Target { name: graph.name(value).to_string(), source };
    let ty = graph.ty(value);
    emitter.enter(graph.name(value));
    let y = emitter.real(value);
    let contrastive = options.contrastive || plan.contrasts;
    let softmax = options.init == Init::Softmax;
    if options.target == Target::All {
        if contrastive || softmax {
            let what = match (softmax, options.contrastive) {
                (true, _) => "--init softmax".into(),
                (_, true) => "--contrastive".into(),
                _ => format!("the rule {}", options.rule),
            };
            return Err(Error::NeedsTarget { what });
        }
        return Ok(vec![Start { for_it: initial(emitter, options.init, y), against: None }]);
    }
    let rank = ty.rank().ok_or_else(|| refuse(ir::Error::Unknown { what: "its rank".into() }))?;
    if rank == 0 {
        // A number has no classes to choose from.
        return Ok(vec![Start { for_it: initial(emitter, options.init, y), against: None }]);
    }
    let classes = match options.class_axis {
        Some(chosen) => axis(chosen, rank).map_err(refuse)?,
        None => usize::from(rank > 1),
    };
    let positions = emitter.positions(y, classes).map_err(refuse)?;
    let index = |index: i64| -> Result<Expr<'e>, Error> {
        if let Some(Dim::Known(count)) = ty.dim(classes)
            && index >= count
        {
            return Err(Error::NoSuchClass { index, count });
        }
        Ok(emitter.constant(TensorProto::of_ints(&[], &[index])))
    };
    let input = |count: Option<usize>| -> Result<Expr<'e>, Error> {
        if graph.by_name("target").is_some() {
            return Err(Error::NameTaken { name: "target".into() });
        }
        if classes == 0 && rank > 1 {
            return Err(Error::TargetPerSample { axis: classes });
        }
        let batch = if rank > 1 { ty.dim(0).unwrap_or(Dim::Known(1)) } else { Dim::Known(1) };
        let count = count.map(|count| Dim::Known(count as i64));
        let dims = [batch].into_iter().chain(count).collect();
        Ok(emitter.input("target", Type::new(DataType::Int64, dims)))
    };
    // One class per sample, against the classes.
    let mut per_sample = vec![1; rank];
    per_sample[0] = -1;
    let chosen = match &options.target {
        Target::All => Vec::new(),
        Target::Argmax => vec![y.arg_max(classes)],
        Target::Index(at) => vec![index(*at)?],
        Target::Indices(all) => all.iter().map(|at| index(*at)).collect::<Result<_, _>>()?,
        Target::Input => vec![input(None)?.reshape(&per_sample)],
        Target::Inputs(count) => {
            let requested = input(Some(*count))?;
            let column = |at: usize| {
                let bounds = [at, at + 1].map(|n| emitter.ints(&[n as i64]));
                Ok(requested.slice(1, bounds[0], bounds[1]).map_err(refuse)?.reshape(&per_sample))
            };
            (0..*count).map(column).collect::<Result<_, Error>>()?
        }
    };
    let linear = plan.is_linear();
    let start = |chosen: Expr<'e>| -> Result<Start<'e>, Error> {
        let hit = chosen.equals(positions);
        let elem = y.ty().elem;
        if softmax {
            let p = y.softmax(classes).map_err(refuse)?;
            let score = p.where_or(hit, 0.0).sum(&[classes], true);
            return Ok(Start {
                for_it: (score * (hit.cast(elem) - p)).named("start"),
                against: None,
            });
        }
        let init = if plan.contrasts { Init::One } else { options.init };
        let own = initial(emitter, init, y).where_or(hit, 0.0);
        if !contrastive {
            return Ok(Start { for_it: own.named("start"), against: None });
        }
        // As much again, spread over the other classes.
        let others = match ty.dim(classes) {
            Some(Dim::Known(count)) => emitter.scalar(elem, (count - 1).max(1) as f64),
            _ => y.size(classes).cast(elem) - 1.0,
        };
        let spread = (own.sum(&[classes], true) / others) * (1.0 - hit.cast(elem));
        Ok(if linear {
            Start { for_it: (own - spread).named("start"), against: None }
        } else {
            Start { for_it: own.named("start"), against: Some(spread.named("contrast")) }
        })
    };
    chosen.into_iter().map(start).collect()
}

/// The relevance that a class starts with.
fn initial<'e>(emitter: &'e Emitter, init: Init, y: Expr<'e>) -> Expr<'e> {
    match init {
        Init::Value | Init::Softmax => y,
        Init::Abs => y.abs(),
        Init::One => emitter.scalar(y.ty().elem, 1.0).expand_like(y),
    }
}
