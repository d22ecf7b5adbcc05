//! The sweep: one reverse walk over the units.

mod divide;
mod maps;
mod relevance;
pub(crate) mod start;

use std::collections::BTreeMap;

pub(crate) use maps::{maps, ty as map_type};
pub use relevance::Relevance;

use crate::{
    error::{Error, Problem},
    ir::{self, Call, Dim, Emitter, Expr, Graph, Kind, Role, Value},
    onnx::DataType,
    options::Options,
    passes::Known,
    plan::{Plan, Planned, Unit},
    rules::{Branch, Gate, Modifier, Ratio, Stabiliser, Treatment},
};

/// The relevance of values.
type Shares<'e> = Vec<(Value, Relevance<'e>)>;

/// What became of relevance at a unit.
pub struct Crossed<'e> {
    /// The relevance of its results.
    pub received: Vec<Relevance<'e>>,
    /// The relevance that its operands get.
    pub shares: Shares<'e>,
    /// What of the relevance of its results is shared out: `s ⊙ z`. All of it, where there is none.
    pub kept: Option<Expr<'e>>,
}

/// Emits the relevance of every input and shown value of a plan, from that of the explained value.
/// `witness` sees every crossing.
pub fn sweep<'e>(
    graph: &Graph,
    plan: &Plan,
    options: &Options,
    emitter: &'e Emitter,
    start: Expr<'e>,
    witness: &mut dyn FnMut(&Unit, &Crossed<'e>),
) -> Result<BTreeMap<Value, Expr<'e>>, Error> {
    let mut relevance = BTreeMap::from([(plan.explained.value, Relevance::whole(start))]);
    for Planned { unit, treatment, .. } in &plan.units {
        let r = unit.results(graph).map(|value| relevance.get(&value).copied()).collect::<Vec<_>>();
        emitter.enter(graph.label(unit.node));
        let problem = |error| Error::Unit(Problem::new(graph, unit.node, error));
        let crossing = Crossing { graph, plan, options, emitter, unit };
        let crossed = crossing.cross(treatment, &r).map_err(problem)?;
        witness(unit, &crossed);
        emitter.check().map_err(problem)?;
        for (value, share) in crossed.shares {
            let sum = relevance.get(&value).map_or(share, |sum: &Relevance<'e>| sum.plus(share));
            relevance.insert(value, sum);
        }
    }
    relevance.retain(|value, _| plan.inputs.contains(value) || plan.shown.contains(value));
    Ok(relevance.into_iter().map(|(value, r)| (value, r.value())).collect())
}

/// Relevance on its way through a unit.
struct Crossing<'s, 'e> {
    graph: &'s Graph,
    plan: &'s Plan,
    options: &'s Options,
    emitter: &'e Emitter,
    unit: &'s Unit,
}

impl<'s, 'e> Crossing<'s, 'e> {
    /// The relevance that each operand gets of that of the results.
    fn cross(
        &self,
        treatment: &Treatment,
        results: &[Option<Relevance<'e>>],
    ) -> Result<Crossed<'e>, ir::Error> {
        let wanted = |(operand, value): &(usize, Value)| {
            treatment.reaches(*operand) && self.plan.receives.contains(value)
        };
        let recipients: Vec<_> =
            self.unit.recipients(self.graph).into_iter().filter(wanted).collect();
        let call = self.unit.call(self.graph, self.emitter)?;
        let received: Vec<_> = results.iter().copied().flatten().collect();
        let r = results.first().copied().flatten();
        let (mut shares, mut kept) = (Vec::new(), None);
        match (treatment, r) {
            (Treatment::Ratio(ratio), Some(r)) => {
                // Branches modify every activation, those that get nothing too.
                let non_negative = (0..call.arity())
                    .filter(|&operand| self.unit.is_active(self.graph, operand))
                    .all(|operand| call.raw(operand).is_ok_and(Expr::is_non_negative));
                let linear = self.unit.operator.linear().is_some();
                let known = Known { kind: self.unit.kind, linear, non_negative };
                let passes = self.options.passes();
                let ratio = passes.fold(ratio.clone(), |ratio, pass| pass.ratio(ratio, known));
                (shares, kept) = self.ratio(&ratio, &call, &recipients, r)?;
            }
            (Treatment::Pass | Treatment::PositivePass, Some(r)) => {
                let r = match treatment {
                    Treatment::Pass => r,
                    _ => Relevance::whole(r.value().relu()),
                };
                for (operand, value) in recipients {
                    shares.push((value, self.pass(&call, operand, r)?));
                }
            }
            _ => {
                let moves = *treatment == Treatment::Adjoint
                    && self.unit.kind == Kind::Movement
                    && self.unit.operator.copies(self.graph.node(self.unit.node));
                let cofactors = if moves { self.cofactors(results) } else { None };
                let values = |r: Relevance<'e>| match treatment {
                    Treatment::PositiveAdjoint => r.value().relu(),
                    _ => r.value(),
                };
                let s = cofactors
                    .clone()
                    .unwrap_or_else(|| results.iter().map(|r| r.map(values)).collect());
                for (operand, value) in recipients {
                    let g = call.adjoint_of_all(operand, &s)?;
                    let share = match cofactors {
                        Some(_) => Relevance::product(call.x(operand)?, g),
                        None => Relevance::whole(g),
                    };
                    shares.push((value, share));
                }
            }
        }
        Ok(Crossed { received, shares, kept })
    }

    /// The second factors of relevances whose first ones are the results themselves. What is the same
    /// elsewhere takes both along.
    fn cofactors(&self, results: &[Option<Relevance<'e>>]) -> Option<Vec<Option<Expr<'e>>>> {
        let per = |(value, r): (Value, &Option<Relevance<'e>>)| match r {
            Some(r) => r.per(self.emitter.real(value)).map(Some),
            None => Some(None),
        };
        self.unit.results(self.graph).zip(results).map(per).collect()
    }

    /// `r` in the shape of an operand.
    fn pass(
        &self,
        call: &Call<'s, 'e>,
        operand: usize,
        relevance: Relevance<'e>,
    ) -> Result<Relevance<'e>, ir::Error> {
        let r = relevance.per;
        let x = call.raw(operand)?;
        if self.unit.kind == Kind::Weighted && x.ty().shape != r.ty().shape {
            let what = "a layer whose result has another shape than its input, under the rule pass";
            return Err(ir::Error::Unsupported { what: what.into() });
        }
        // What is one-to-one has the operand's shape, under whatever names the file gives its sizes.
        let ty = x.ty();
        let one_to_one = matches!(self.unit.kind, Kind::Activation | Kind::Normalisation)
            && r.ty().rank() == ty.rank()
            && ty.shape.iter().flatten().all(|dim| *dim != Dim::Known(1));
        if one_to_one {
            return Ok(relevance.with(r.known_as(ty.with(r.ty().elem))?));
        }
        Ok(Relevance::whole(relevance.value().sum_to(x)?))
    }

    fn ratio(
        &self,
        ratio: &Ratio,
        call: &Call<'s, 'e>,
        recipients: &[(usize, Value)],
        r: Relevance<'e>,
    ) -> Result<(Shares<'e>, Option<Expr<'e>>), ir::Error> {
        let finish = |share: Relevance<'e>| -> Result<Relevance<'e>, ir::Error> {
            let share =
                if ratio.normalised { Relevance::whole(normalised(share.value())?) } else { share };
            let whole = (ratio.share - 1.0).abs() < f64::EPSILON;
            let per = if whole { share.per } else { share.per * ratio.share };
            Ok(share.with(if share.of.is_none() { per.named("R") } else { per }))
        };
        if let (Some(euler), [term]) = (self.unit.euler(self.graph), ratio.terms.as_slice())
            && term.branches == [Branch::PLAIN]
            && term.stabiliser != Stabiliser::Whole
        {
            // x ⊙ f′(x) is read off the result.
            let y = call.y();
            let idle = term.stabiliser.idle(r, y);
            let kept = idle.unwrap_or_else(|| r.with(term.stabiliser.share(r.per, y)));
            let share = match kept.of {
                Some(of) => Relevance::product(euler.times(call, of)?, kept.per),
                None => kept.with(euler.times(call, kept.per)?),
            };
            let share = finish(share)?;
            let shares = recipients.iter().map(|(_, v)| (*v, share)).collect();
            return Ok((shares, idle.is_none().then(|| kept.value())));
        }
        // x ⊙ Jᵀ s, with branches that see the same x added up before it is multiplied.
        let mut parts: Vec<Vec<(&Modifier, Expr<'e>, Expr<'e>)>> =
            vec![Vec::new(); recipients.len()];
        let mut kept: Option<Expr<'e>> = None;
        for term in &ratio.terms {
            let calls = term.branches.iter().map(|branch| self.modified(call, branch));
            let calls = calls.collect::<Result<Vec<_>, _>>()?;
            let mut z: Option<Expr<'e>> = None;
            for (branch, call) in term.branches.iter().zip(&calls) {
                if term.stabiliser == Stabiliser::Whole {
                    break; // Nothing is divided.
                }
                let (plain, role) = match *branch == Branch::PLAIN {
                    true => (self.unit.is_literal(self.graph), "layer"),
                    false => (false, "twin"),
                };
                if matches!(term.stabiliser, Stabiliser::OwnMagnitude(_)) && z.is_some() {
                    break; // The unit's own result comes first, and is all that counts.
                }
                let y = if plain { call.y() } else { call.forward()?.named(role) };
                z = Some(match (z, branch.negative) {
                    (None, false) => y,
                    (None, true) => -y,
                    // A sum, written so that no runtime fuses it with the twin: a convolution that
                    // starts from the layer's result rounds otherwise than the layer did, and the
                    // two would not cancel.
                    (Some(z), false) => (z - -y).named("z"),
                    (Some(z), true) => (z - y).named("z"),
                });
            }
            let gated = match term.gate {
                Gate::Everywhere => r,
                Gate::Positive => r.with(r.per * call.y().is_above(0.0)),
                Gate::Negative => r.with(r.per * call.y().is_below(0.0)),
            };
            let mut s = match z {
                None => gated.value(),
                Some(z) => term
                    .stabiliser
                    .cofactor(gated, z)
                    .or_else(|| self.rectified(term.stabiliser, gated, z))
                    .unwrap_or_else(|| term.stabiliser.divide(gated, z)),
            };
            if (term.factor - 1.0).abs() > 0.0 {
                s = s * term.factor;
            }
            let s = s.named("s");
            if let Some(z) = z {
                kept = Some(kept.map_or(s * z, |kept| kept + s * z));
            }
            for (&(operand, _), parts) in recipients.iter().zip(&mut parts) {
                for (branch, call) in term.branches.iter().zip(&calls) {
                    let mut g = call.adjoint(operand, s)?;
                    if branch.negative {
                        g = -g;
                    }
                    match parts.iter_mut().find(|(modifier, ..)| **modifier == branch.input) {
                        Some((.., sum)) => *sum = *sum + g,
                        None => parts.push((&branch.input, call.x(operand)?, g)),
                    }
                }
            }
        }
        let mut shares = Vec::new();
        for (&(_, value), parts) in recipients.iter().zip(parts) {
            // Where nothing flows, nothing does through an infinite activation either: 0 · ∞ = 0.
            let infinite = self.graph.facts(value).may_be_infinite;
            let products = parts.into_iter().map(|(modifier, x, g)| match modifier {
                Modifier::One => Relevance::whole(g),
                _ if infinite => Relevance::whole(x.where_or(g.cast(DataType::Bool), 0.0) * g),
                _ => Relevance::product(x, g),
            });
            if let Some(sum) = products.reduce(Relevance::plus) {
                shares.push((value, finish(sum)?));
            }
        }
        Ok((shares, kept))
    }

    /// `R` divided by `z`, where `R` has a factor `max(z, 0)`: the other one, where that is positive.
    fn rectified(&self, stabiliser: Stabiliser, r: Relevance<'e>, z: Expr<'e>) -> Option<Expr<'e>> {
        let y = r.of.filter(|_| stabiliser.is_idle(z))?;
        let own = z.value() == self.emitter.real(self.unit.output).value();
        let rectifies = |reader| {
            let result = self.emitter.real(Value { node: reader, slot: 0 });
            self.graph.node(reader).op_type() == "Relu" && result.value() == y.value()
        };
        let found = own && self.graph.readers(self.unit.output).any(rectifies);
        found.then(|| r.per * y.sign())
    }

    /// The call with its inputs and parameters modified.
    fn modified(&self, call: &Call<'s, 'e>, branch: &Branch) -> Result<Call<'s, 'e>, ir::Error> {
        let mut modified = call.clone();
        for operand in 0..call.arity() {
            let modifier = match self.unit.role(self.graph, operand) {
                Some(Role::Weight) => Some(&branch.weight),
                Some(Role::Bias) => branch.bias.as_ref(),
                None if self.unit.is_active(self.graph, operand) => Some(&branch.input),
                None => continue,
            };
            if modifier != Some(&Modifier::Identity) {
                let value = modifier.and_then(|m| Some(m.apply(call.get(operand)?)));
                modified = modified.with(operand, value);
            }
        }
        if let (Some(layer), true) = (self.unit.operator.linear(), branch.shift > 0.0) {
            let bias = match modified.get(2) {
                Some(bias) => bias + branch.shift,
                None => {
                    let elem = call.y().ty().elem;
                    layer.bias(call.node, self.emitter.scalar(elem, branch.shift))?
                }
            };
            modified = modified.with(2, Some(bias));
        }
        Ok(modified)
    }
}

/// A relevance scaled to Σ |R| = 1 per sample; nothing stays nothing.
fn normalised(r: Expr<'_>) -> Result<Expr<'_>, ir::Error> {
    let axes: Vec<_> = (usize::from(r.rank()? > 1)..r.rank()?).collect();
    let sum = r.abs().sum(&axes, true);
    Ok(r / sum.where_or(sum.greater(0.0), 1.0))
}
