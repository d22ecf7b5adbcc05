//! The sweep: one reverse walk over the units.

use std::collections::BTreeMap;

use super::{
    Error, Options, Problem,
    plan::{Plan, Planned},
    units::Unit,
};
use crate::{
    graph::{Dim, Emitter, Expr, Graph, Value},
    onnx::DataType,
    ops::{self, Call, Kind, Role},
    rules::{Branch, Gate, Modifier, Ratio, Stabiliser, Treatment},
};

/// The relevance of values.
type Shares<'e> = Vec<(Value, Expr<'e>)>;

/// What became of relevance at a unit.
pub struct Crossed<'e> {
    /// The relevance of its results.
    pub received: Vec<Expr<'e>>,
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
    let mut relevance: BTreeMap<Value, Expr<'e>> = BTreeMap::from([(plan.explained.value, start)]);
    for Planned { unit, treatment, .. } in &plan.units {
        let r = unit.results(graph).map(|value| relevance.get(&value).copied()).collect::<Vec<_>>();
        emitter.enter(graph.label(unit.node));
        let problem = |error| Error::Unit(Problem::new(graph, unit.node, error));
        let crossing = Crossing { graph, plan, options, emitter, unit };
        let crossed = crossing.cross(treatment, &r).map_err(problem)?;
        witness(unit, &crossed);
        emitter.check().map_err(problem)?;
        for (value, share) in crossed.shares {
            let sum = relevance.get(&value).map_or(share, |&sum| (sum + share).named("R"));
            relevance.insert(value, sum);
        }
    }
    relevance.retain(|value, _| plan.inputs.contains(value) || plan.shown.contains(value));
    Ok(relevance)
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
        results: &[Option<Expr<'e>>],
    ) -> Result<Crossed<'e>, ops::Error> {
        let wanted = |(operand, value): &(usize, Value)| {
            treatment.reaches(*operand) && self.plan.receives.contains(value)
        };
        let recipients: Vec<_> =
            self.unit.recipients(self.graph).into_iter().filter(wanted).collect();
        let call = self.unit.call(self.graph, self.emitter)?;
        let received: Vec<_> = results.iter().copied().flatten().collect();
        let r = results.first().copied().flatten();
        let positive: Vec<_> = results.iter().map(|r| r.map(|r| r.relu())).collect();
        let (mut shares, mut kept) = (Vec::new(), None);
        match (treatment, r) {
            (Treatment::Ratio(ratio), Some(r)) => {
                // Branches modify every activation, those that get nothing too.
                let non_negative = (0..call.arity())
                    .filter(|&operand| self.unit.is_active(self.graph, operand))
                    .all(|operand| call.raw(operand).is_ok_and(Expr::is_non_negative));
                let passes = self.options.level.passes().iter();
                let ratio =
                    passes.fold(ratio.clone(), |ratio, pass| pass.ratio(ratio, non_negative));
                (shares, kept) = self.ratio(&ratio, &call, &recipients, r)?;
            }
            (Treatment::Pass | Treatment::PositivePass, Some(r)) => {
                let r = if *treatment == Treatment::Pass { r } else { r.relu() };
                for (operand, value) in recipients {
                    shares.push((value, self.pass(&call, operand, r)?));
                }
            }
            _ => {
                let guided = *treatment == Treatment::PositiveAdjoint;
                let results = if guided { &positive } else { results };
                for (operand, value) in recipients {
                    shares.push((value, call.adjoint_of_all(operand, results)?));
                }
            }
        }
        Ok(Crossed { received, shares, kept })
    }

    /// `r` in the shape of an operand.
    fn pass(
        &self,
        call: &Call<'s, 'e>,
        operand: usize,
        r: Expr<'e>,
    ) -> Result<Expr<'e>, ops::Error> {
        let x = call.raw(operand)?;
        if self.unit.kind == Kind::Weighted && x.ty().shape != r.ty().shape {
            let what = "a layer whose result has another shape than its input, under the rule pass";
            return Err(ops::Error::Unsupported { what: what.into() });
        }
        // What is one-to-one has the operand's shape, under whatever names the file gives its sizes.
        let ty = x.ty();
        let one_to_one = matches!(self.unit.kind, Kind::Activation | Kind::Normalisation)
            && r.ty().rank() == ty.rank()
            && ty.shape.iter().flatten().all(|dim| *dim != Dim::Known(1));
        if one_to_one { r.known_as(ty.with(r.ty().elem)) } else { r.sum_to(x) }
    }

    fn ratio(
        &self,
        ratio: &Ratio,
        call: &Call<'s, 'e>,
        recipients: &[(usize, Value)],
        r: Expr<'e>,
    ) -> Result<(Shares<'e>, Option<Expr<'e>>), ops::Error> {
        let finish = |share: Expr<'e>, factor: f64| -> Result<Expr<'e>, ops::Error> {
            let share = if ratio.normalised { normalised(share)? } else { share };
            Ok(shared(ratio.share * factor, share))
        };
        if let (Some(degree), [term]) = (self.unit.degree(self.graph), ratio.terms.as_slice())
            && term.branches == [Branch::PLAIN]
            && term.stabiliser != Stabiliser::Whole
        {
            // x ⊙ f′(x) is p f(x): only the result is read.
            let whole = term.stabiliser.share(r, call.y());
            let share = finish(whole, degree)?;
            return Ok((recipients.iter().map(|(_, v)| (*v, share)).collect(), Some(whole)));
        }
        // x ⊙ Jᵀ s, with branches that see the same x added up before it is multiplied.
        let mut parts: Vec<Vec<(&Modifier, Expr<'e>, Expr<'e>)>> =
            vec![Vec::new(); recipients.len()];
        let mut kept: Option<Expr<'e>> = None;
        for term in &ratio.terms {
            let calls: Vec<_> =
                term.branches.iter().map(|branch| self.modified(call, branch)).collect();
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
                Gate::Positive => r.where_or(call.y().greater(0.0), 0.0),
                Gate::Negative => r.where_or((-call.y()).greater(0.0), 0.0),
            };
            let mut s = z.map_or(gated, |z| term.stabiliser.divide(gated, z));
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
            let infinite = self.graph.facts(value).infinite;
            let products = parts.into_iter().map(|(modifier, x, g)| match modifier {
                Modifier::One => g,
                _ if infinite => x.where_or(g.cast(DataType::Bool), 0.0) * g,
                _ => x * g,
            });
            if let Some(sum) = products.reduce(|a, b| a + b) {
                shares.push((value, finish(sum, 1.0)?));
            }
        }
        Ok((shares, kept))
    }

    /// The call with its inputs and parameters modified.
    fn modified(&self, call: &Call<'s, 'e>, branch: &Branch) -> Call<'s, 'e> {
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
        modified
    }
}

/// The part of a relevance that an operand gets.
fn shared(share: f64, relevance: Expr<'_>) -> Expr<'_> {
    let whole = (share - 1.0).abs() < f64::EPSILON;
    if whole { relevance.named("R") } else { (relevance * share).named("R") }
}

/// A relevance scaled to Σ |R| = 1 per sample; nothing stays nothing.
fn normalised(r: Expr<'_>) -> Result<Expr<'_>, ops::Error> {
    let axes: Vec<_> = (usize::from(r.rank()? > 1)..r.rank()?).collect();
    let sum = r.abs().sum(&axes, true);
    Ok(r / sum.where_or(sum.greater(0.0), 1.0))
}
