//! The sweep: one reverse walk over the units.

use std::collections::BTreeMap;

use super::{Error, Options, Problem, plan::Plan, target, units::Unit};
use crate::{
    graph::{Emitter, Expr, Graph, Value},
    onnx::DataType,
    ops::{self, Call, Role},
    rules::{Branch, Modifier, Ratio, Treatment},
};

/// Emits the relevance of every input and shown value of a plan.
pub fn sweep(
    graph: &Graph,
    plan: &Plan,
    options: &Options,
    emitter: &Emitter,
) -> Result<Vec<(Value, Value)>, Error> {
    let mut relevance: BTreeMap<Value, Expr<'_>> = BTreeMap::new();
    let start = target::start(emitter, graph, plan.explained.value, options)?;
    relevance.insert(plan.explained.value, start);

    for (unit, treatment) in &plan.units {
        let r = unit.results(graph).map(|value| relevance.get(&value).copied()).collect::<Vec<_>>();
        emitter.enter(graph.label(unit.node));
        let problem = |error| Error::Unit(Problem::new(graph, unit.node, error));
        let crossing = Crossing { graph, plan, options, emitter, unit };
        let shares = crossing.cross(treatment, &r).map_err(problem)?;
        emitter.check().map_err(problem)?;
        for (value, share) in shares {
            let sum = relevance.get(&value).map_or(share, |&sum| (sum + share).named("R"));
            relevance.insert(value, sum);
        }
    }
    let shown = plan.inputs.iter().chain(&plan.shown);
    Ok(shown.filter_map(|value| Some((*value, relevance.get(value)?.value()))).collect())
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
    /// The relevance that each operand gets of the relevance `r` of the result.
    fn cross(
        &self,
        treatment: &Treatment,
        results: &[Option<Expr<'e>>],
    ) -> Result<Vec<(Value, Expr<'e>)>, ops::Error> {
        let wanted = |(operand, value): &(usize, Value)| {
            treatment.reaches(*operand) && self.plan.receives.contains(value)
        };
        let recipients: Vec<_> =
            self.unit.recipients(self.graph).into_iter().filter(wanted).collect();
        let call = self.unit.call(self.graph, self.emitter)?;
        let r = results.first().copied().flatten();
        match (treatment, r) {
            (Treatment::Ratio(ratio), Some(r)) => {
                let passes = self.options.level.passes();
                let ratio = passes.iter().fold(ratio.clone(), |ratio, pass| pass.ratio(ratio));
                self.ratio(&ratio, &call, &recipients, r)
            }
            (Treatment::Pass, Some(r)) => recipients
                .into_iter()
                .map(|(operand, value)| Ok((value, r.sum_to(call.raw(operand)?)?)))
                .collect(),
            _ => recipients
                .into_iter()
                .map(|(operand, value)| Ok((value, call.adjoint_of_all(operand, results)?)))
                .collect(),
        }
    }

    fn ratio(
        &self,
        ratio: &Ratio,
        call: &Call<'s, 'e>,
        recipients: &[(usize, Value)],
        r: Expr<'e>,
    ) -> Result<Vec<(Value, Expr<'e>)>, ops::Error> {
        let calls: Vec<_> =
            ratio.branches.iter().map(|branch| self.modified(call, *branch)).collect();
        let mut z: Option<Expr<'e>> = None;
        for (branch, call) in ratio.branches.iter().zip(&calls) {
            let plain = *branch == Branch::PLAIN && self.unit.is_literal(self.graph);
            let role = if *branch == Branch::PLAIN { "layer" } else { "twin" };
            let y = if plain { call.y() } else { call.forward()?.named(role) };
            // A sum, written so that no runtime fuses it with the twin: a convolution that starts from
            // the layer's result rounds otherwise than the layer did, and the two would not cancel.
            z = Some(z.map_or(y, |z| (z - -y).named("z")));
        }
        let Some(z) = z else { return Ok(Vec::new()) };
        if let Some(degree) = self.unit.degree(self.graph)
            && ratio.branches == [Branch::PLAIN]
        {
            // x ⊙ f′(x) is p f(x): only the result is read.
            let share = shared(ratio.share * degree, ratio.stabiliser.share(r, z));
            return Ok(recipients.iter().map(|(_, value)| (*value, share)).collect());
        }
        let s = ratio.stabiliser.divide(r, z).named("s");
        let mut shares = Vec::new();
        for &(operand, value) in recipients {
            // x ⊙ Jᵀ s, with branches that see the same x added up before it is multiplied.
            let mut terms: Vec<(Modifier, Expr<'e>, Expr<'e>)> = Vec::new();
            for (branch, call) in ratio.branches.iter().zip(&calls) {
                let g = call.adjoint(operand, s)?;
                match terms.iter_mut().find(|(modifier, ..)| *modifier == branch.input) {
                    Some((.., sum)) => *sum = *sum + g,
                    None => terms.push((branch.input, call.x(operand)?, g)),
                }
            }
            // Where nothing flows, nothing does through an infinite activation either: 0 · ∞ = 0.
            let infinite = self.graph.facts(value).infinite;
            let products = terms.into_iter().map(|(_, x, g)| match infinite {
                true => x.where_or(g.cast(DataType::Bool), 0.0) * g,
                false => x * g,
            });
            if let Some(sum) = products.reduce(|a, b| a + b) {
                shares.push((value, shared(ratio.share, sum)));
            }
        }
        Ok(shares)
    }

    /// The call with its inputs and parameters modified.
    fn modified(&self, call: &Call<'s, 'e>, branch: Branch) -> Call<'s, 'e> {
        let mut modified = call.clone();
        for operand in 0..call.arity() {
            let modifier = match self.unit.role(self.graph, operand) {
                Some(Role::Weight) => Some(branch.weight),
                Some(Role::Bias) => branch.bias,
                None if self.unit.is_active(self.graph, operand) => Some(branch.input),
                None => continue,
            };
            if modifier != Some(Modifier::IDENTITY) {
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
