//! What is explained, and where relevance starts.

use super::{Error, Init, Options, Target};
use crate::{
    graph::{Dim, Emitter, Expr, Graph, Type, Value, axis},
    onnx::{DataType, schema::TensorProto},
    ops,
};

/// What is explained.
#[derive(Debug, Clone)]
pub struct Explained {
    /// The explained value.
    pub value: Value,
    /// The graph output it stands for, if it is that output's pre-activation.
    pub instead_of: Option<(Value, &'static str)>,
}

/// The value that `options` ask to explain.
pub fn choose(graph: &Graph, options: &Options) -> Result<Explained, Error> {
    let floating = |value: &Value| graph.ty(*value).is_float();
    let candidates = || {
        let names: Vec<_> = graph.results().filter(floating).map(|v| graph.name(v)).collect();
        if names.is_empty() { "none of the graph outputs".into() } else { names.join(", ") }
    };
    if let Some(name) = &options.output {
        let value = graph.by_name(name).ok_or_else(|| Error::NoSuchTensor {
            option: "--output",
            name: name.clone(),
            candidates: candidates(),
        })?;
        return match floating(&value) {
            true => Ok(Explained { value, instead_of: None }),
            false => Err(Error::NotFloating { name: name.clone(), candidates: candidates() }),
        };
    }
    let first = graph.results().next().ok_or(Error::NoOutput)?;
    if !floating(&first) {
        let name = graph.name(first).to_string();
        return Err(Error::NotFloating { name, candidates: candidates() });
    }
    // A softmax at the very end, behind which there may be names but nothing else.
    let mut end = first;
    while graph.view(end.node).op_type() == "Identity" {
        match graph.view(end.node).input(0) {
            Some(x) => end = x,
            None => break,
        }
    }
    let view = graph.view(end.node);
    let squashing =
        ["Softmax", "LogSoftmax", "Sigmoid"].into_iter().find(|&op| op == view.op_type());
    match (squashing, view.input(0)) {
        (Some(operator), Some(value)) if view.domain().is_empty() => {
            Ok(Explained { value, instead_of: Some((first, operator)) })
        }
        _ => Ok(Explained { value: first, instead_of: None }),
    }
}

/// The relevance of the explained value itself.
pub fn start<'e>(
    emitter: &'e Emitter,
    graph: &Graph,
    value: Value,
    options: &Options,
) -> Result<Expr<'e>, Error> {
    let refuse = |source| Error::Target { name: graph.name(value).to_string(), source };
    let ty = graph.ty(value);
    emitter.enter(graph.name(value));
    let y = emitter.real(value);
    let start = match options.init {
        Init::Value => y,
        Init::Abs => y.abs(),
        Init::One => emitter.scalar(y.ty().elem, 1.0).expand_like(y),
    };
    if options.target == Target::All {
        return Ok(start);
    }
    let rank = ty.rank().ok_or_else(|| refuse(ops::Error::Unknown { what: "its rank".into() }))?;
    if rank == 0 {
        return Ok(start); // A number has no classes to choose from.
    }
    let classes = match options.class_axis {
        Some(chosen) => axis(chosen, rank).map_err(refuse)?,
        None => usize::from(rank > 1),
    };
    let positions = emitter.positions(y, classes).map_err(refuse)?;
    let chosen = match options.target {
        Target::All => return Ok(start),
        Target::Argmax => y.arg_max(classes),
        Target::Index(index) => {
            if let Some(Dim::Known(count)) = ty.dim(classes)
                && index >= count
            {
                return Err(Error::NoSuchClass { index, count });
            }
            emitter.constant(TensorProto::of_ints(&[], &[index]))
        }
        Target::Input => {
            if graph.by_name("target").is_some() {
                return Err(Error::NameTaken { name: "target".into() });
            }
            if classes == 0 && rank > 1 {
                return Err(Error::TargetPerSample { axis: classes });
            }
            let batch = if rank > 1 { ty.dim(0).unwrap_or(Dim::Known(1)) } else { Dim::Known(1) };
            let requested = emitter.input("target", Type::new(DataType::Int64, vec![batch]));
            let mut shape = vec![1; rank];
            shape[0] = -1;
            requested.reshape(&shape)
        }
    };
    Ok(start.where_or(chosen.equals(positions), 0.0).named("start"))
}
