//! `NegativeLogLikelihoodLoss`, and `SoftmaxCrossEntropyLoss` of what is not yet a log-probability.

use super::{CallSite, Contrib};
use crate::{
    ir::{Error, Expr},
    onnx::{DataType, attribute::int},
};

pub(super) const CONTRIB: Contrib = Contrib {
    names: &[("", "NegativeLogLikelihoodLoss"), ("", "SoftmaxCrossEntropyLoss")],
    since: Some(12),
    body: |call| {
        let x = call.x(0)?;
        if call.name == "NegativeLogLikelihoodLoss" {
            return Ok(vec![Some(loss(call, x)?)]);
        }
        let log_probabilities = x.log_softmax(1)?;
        Ok(vec![Some(loss(call, log_probabilities)?), Some(log_probabilities)])
    },
};

/// The mean, sum or list of what each place lacks of certainty: `x` is `[batch, classes, …]`, operand 1 the class of
/// each place, operand 2 a weight for each class.
fn loss<'e>(call: &CallSite<'_, 'e>, x: Expr<'e>) -> Result<Expr<'e>, Error> {
    let (emitter, elem) = (call.emitter, x.ty().elem);
    let classes = call.x(1)?.cast(DataType::Int64);
    let ignored = call.attribute("ignore_index").int("ignore_index")?;
    let counts = ignored.map(|ignored| classes.equals(emitter.ints(&[ignored])).unary("Not"));
    // Of places that do not count, the class may be none.
    let classes = counts.map_or(classes, |counts| classes.where_(counts, emitter.ints(&[0])));
    let weight = call.get(2).map(|weights| {
        emitter.emit("Gather", &[Some(weights), Some(classes)], vec![int("axis", 0)])
    });
    let weight = match (weight, counts.map(|counts| counts.cast(elem))) {
        (Some(weight), Some(counts)) => Some(weight * counts),
        (weight, counts) => weight.or(counts),
    };
    let found = x.gather_elements(classes.unsqueeze(&[1]), 1)?.squeeze(1);
    let each = -weight.map_or(found, |weight| found * weight);
    let all: Vec<_> = (0..each.rank()?).collect();
    let sum = |v: Expr<'e>| v.sum(&all, false);
    let reduction = call.attribute("reduction").string("reduction")?.unwrap_or("mean");
    match (reduction, weight) {
        ("none", _) => Ok(each),
        ("sum", _) => Ok(sum(each)),
        ("mean", Some(weight)) => Ok(sum(each) / sum(weight)),
        ("mean", None) => Ok(each.mean(&all).reshape(&[])),
        _ => Err(Error::Attribute { name: "reduction".into(), what: format!("is {reduction:?}") }),
    }
}
