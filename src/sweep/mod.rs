//! The sweep: one reverse walk over the units.

mod divide;
mod maps;
mod ratio;
mod relevance;
mod start;
mod within;

use std::collections::{BTreeMap, BTreeSet};

pub(crate) use maps::ty as map_type;
pub use relevance::Relevance;
pub use start::Start;

use crate::{
    error::{Error, Problem},
    ir::{
        self, Call, Detached, Dim, Emitter, Euler, Expr, Graph, Kind, NodeIndex, Role, Sign, Value,
    },
    onnx::shown::beginning,
    options::Options,
    plan::{Accepted, Planned, Unit},
    rules::{Known, Rewrite, Treatment},
};

/// The relevance of values.
type Shares<'e> = Vec<(Value, Relevance<'e>)>;

/// What became of relevance at a unit. The books of verification read all of it.
#[cfg_attr(not(feature = "verify"), expect(dead_code))]
pub struct Crossed<'e> {
    /// The relevance of its results.
    pub received: Vec<Relevance<'e>>,
    /// The relevance that its operands get.
    pub shares: Shares<'e>,
    /// What of the relevance of its results is shared out: `s ⊙ z`. All of it, where there is none.
    pub kept: Option<Expr<'e>>,
}

/// A plan on its way to a graph.
#[derive(Clone, Copy)]
pub struct Sweep<'s, 'e> {
    /// The source.
    pub graph: &'s Graph,
    /// What is explained, and how.
    pub plan: &'s Accepted,
    /// What is crossed: the units of the plan, or of a subgraph.
    pub units: &'s [Planned],
    /// The values that get relevance which leads on.
    pub receives: &'s BTreeSet<Value>,
    /// How it is asked for.
    pub options: &'s Options,
    /// The nodes around the subgraph; empty for the graph itself.
    pub around: &'s str,
    /// What becomes of a rule at each unit, before it is emitted.
    pub rewrites: &'s [Rewrite],
    /// Where it is written.
    pub emitter: &'e Emitter,
}

impl<'e> Sweep<'_, 'e> {
    /// Emits the relevance of every input and shown value of the plan, from that of the explained value.
    /// `witness` sees every crossing.
    pub fn run(
        &self,
        start: Expr<'e>,
        witness: &mut dyn FnMut(&Unit, &Crossed<'e>),
    ) -> Result<BTreeMap<Value, Expr<'e>>, Error> {
        let Self { graph, plan, .. } = *self;
        let start = BTreeMap::from([(plan.explained.value, Relevance::whole(start))]);
        let problem = |node, error| Error::Unit(Problem::new(graph, node, error));
        let mut relevance = self.back(start, witness, problem)?;
        let end = plan.map_at.map(|coarse| coarse.value);
        relevance.retain(|value, _| {
            plan.inputs.contains(value) || plan.shown.contains(value) || end == Some(*value)
        });
        Ok(relevance.into_iter().map(|(value, r)| (value, r.value())).collect())
    }

    /// Emits the relevance of all values that get some, from that of a few.
    fn back<E>(
        &self,
        mut relevance: BTreeMap<Value, Relevance<'e>>,
        witness: &mut dyn FnMut(&Unit, &Crossed<'e>),
        problem: impl Fn(NodeIndex, ir::Error) -> E,
    ) -> Result<BTreeMap<Value, Relevance<'e>>, E> {
        let Self { graph, emitter, .. } = *self;
        for planned in self.units {
            let unit = &planned.unit;
            let problem = |error| problem(unit.node, error);
            let r: Vec<_> = unit.results(graph).map(|v| relevance.get(&v).copied()).collect();
            emitter.enter(&self.path(graph.label(unit.node)));
            let crossing = Crossing { sweep: self, graph, emitter, unit };
            let crossed = crossing.cross(planned, &r).map_err(problem)?;
            witness(unit, &crossed);
            emitter.check().map_err(problem)?;
            for (value, share) in crossed.shares {
                let known: Option<&Relevance<'e>> = relevance.get(&value);
                let sum = known.map_or(share, |sum| sum.plus(share));
                relevance.insert(value, sum);
            }
        }
        Ok(relevance)
    }

    /// How a node of the graph is called, with the nodes around it.
    fn path(&self, label: &str) -> String {
        match self.around {
            "" => label.into(),
            around => format!("{}/{}", beginning(around), beginning(label)),
        }
    }
}

impl<'e> Sweep<'_, 'e> {
    /// `(∂from/∂to)ᵀ s` through the units between two values, with statistics for constants; `None` where one is not
    /// computed from the other.
    fn gradient(&self, from: Value, s: Expr<'e>, to: Value) -> Result<Option<Expr<'e>>, ir::Error> {
        let Self { graph, emitter, .. } = *self;
        if from == to {
            return Ok(None);
        }
        let mut gradients = BTreeMap::from([(from, s)]);
        let between = |unit: &&Unit| (to.node..=from.node).contains(&unit.output.node);
        for unit in self.units.iter().map(|planned| &planned.unit).filter(between) {
            let s: Vec<_> = unit
                .results(graph)
                .map(|v| if v == to { None } else { gradients.remove(&v) })
                .collect();
            if s.iter().all(Option::is_none) {
                continue;
            }
            let call = unit.call(graph, emitter)?.detach(Detached::Statistics);
            for (operand, value) in unit.recipients(graph) {
                if value.node < to.node {
                    continue;
                }
                let g = call.adjoint_of_all(operand, &s)?;
                let sum = gradients.get(&value).map_or(g, |&sum| sum + g);
                gradients.insert(value, sum);
            }
        }
        Ok(gradients.remove(&to))
    }
}

/// Relevance on its way through a unit.
struct Crossing<'s, 'e> {
    sweep: &'s Sweep<'s, 'e>,
    graph: &'s Graph,
    emitter: &'e Emitter,
    unit: &'s Unit,
}

impl<'s, 'e> Crossing<'s, 'e> {
    /// The relevance that each operand gets of that of the results.
    fn cross(
        &self,
        planned: &Planned,
        results: &[Option<Relevance<'e>>],
    ) -> Result<Crossed<'e>, ir::Error> {
        let treatment = &planned.treatment;
        if let Some(inner) = &planned.inner {
            let received = results.iter().copied().flatten().collect();
            let shares = self.within(inner, results)?;
            return Ok(Crossed { received, shares, kept: None });
        }
        let wanted = |(operand, value): &(usize, Value)| {
            treatment.reaches(self.unit.kind, *operand) && self.sweep.receives.contains(value)
        };
        let recipients: Vec<_> =
            self.unit.recipients(self.graph).into_iter().filter(wanted).collect();
        let call = self.unit.call(self.graph, self.emitter)?;
        let received: Vec<_> = results.iter().copied().flatten().collect();
        let open = |r: &Option<Relevance<'e>>| r.map(|r| self.unsaturated(r)).transpose();
        let results = results.iter().map(open).collect::<Result<Vec<_>, _>>()?;
        let r = results.first().copied().flatten();
        let (mut shares, mut kept) = (Vec::new(), None);
        match (treatment, r) {
            (Treatment::Ratio(ratio), Some(r)) => {
                let known = self.known(&call);
                let rewrites = self.sweep.rewrites.iter();
                let ratio = rewrites.fold(ratio.clone(), |ratio, rewrite| rewrite(ratio, known));
                (shares, kept) = self.ratio(&ratio, &call, &recipients, r)?;
            }
            (Treatment::Pass | Treatment::PassOpen | Treatment::PositivePass, Some(r)) => {
                let r = match treatment {
                    Treatment::PositivePass => Relevance::whole(r.value().relu()),
                    Treatment::PassOpen => self.open(&call, r),
                    _ => r,
                };
                for (operand, value) in recipients {
                    shares.push((value, self.pass(&call, operand, r)?));
                }
            }
            _ => {
                // What is the same elsewhere: data that moved, and the largest among others.
                let moves = *treatment == Treatment::Adjoint
                    && match self.unit.kind {
                        Kind::Max | Kind::Resampling => true,
                        Kind::Movement => {
                            self.unit.operator.copies(self.graph.node(self.unit.node))
                        }
                        _ => false,
                    };
                // Where nothing flows, nothing does through an infinite activation either: 0 · ∞ = 0.
                let infinite = |(_, v): &(usize, Value)| self.graph.facts(*v).may_be_infinite;
                let moves = moves && !recipients.iter().any(infinite);
                let cofactors = if moves { self.cofactors(&results) } else { None };
                let values = |r: Relevance<'e>| match treatment {
                    Treatment::PositiveAdjoint => r.value().relu(),
                    _ => r.value(),
                };
                let mut s = cofactors
                    .clone()
                    .unwrap_or_else(|| results.iter().map(|r| r.map(values)).collect());
                if self.sweep.plan.times_input && self.unit.kind == Kind::Embedding {
                    // What counts is what was fetched: an index is no number to multiply by.
                    s.iter_mut().flatten().for_each(|s| *s = *s * call.y());
                }
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

    /// What of a relevance of the result is left where roundings within the unit let it through.
    fn unsaturated(&self, r: Relevance<'e>) -> Result<Relevance<'e>, ir::Error> {
        self.unit.tail.iter().rev().try_fold(r, |r, &node| {
            let view = self.graph.node(node);
            let output = Value { node, slot: 0 };
            match view.operator().filter(|_| view.op_type() == "QuantizeLinear") {
                Some(operator) => {
                    let step = Call::new(view, operator, None, self.emitter, output);
                    Ok(r.with(step.adjoint(0, r.per)?))
                }
                None => Ok(r),
            }
        })
    }

    /// What is known of the unit. Branches modify every activation, those that get nothing too.
    fn known(&self, call: &Call<'s, 'e>) -> Known {
        let Unit { node, kind, operator, .. } = *self.unit;
        let is_non_negative = |operand: usize| call.raw(operand).is_ok_and(Expr::is_non_negative);
        let role = |operand: &usize| self.unit.role(self.graph, *operand);
        let mut active = (0..call.arity()).filter(|&i| self.unit.is_active(self.graph, i));
        let mut weights = (0..call.arity()).filter(|i| role(i) == Some(Role::Weight));
        Known {
            kind,
            linear: operator.linear().is_some(),
            keeps_sign: operator.sign(self.graph.node(node)) != Sign::Any,
            non_negative: active.all(is_non_negative),
            non_negative_weights: weights.all(is_non_negative),
        }
    }

    /// What of a relevance passes a function of each element. One that is homogeneous and never negative
    /// is a rectifier: where it gives 0 it is shut. Relevance with the result for a factor is 0 there
    /// already.
    fn open(&self, call: &Call<'s, 'e>, r: Relevance<'e>) -> Relevance<'e> {
        let y = call.y();
        let rectifies = self.unit.euler(self.graph) == Some(Euler::of(1.0));
        if !rectifies || !self.graph.facts(self.unit.output).non_negative || r.per(y).is_some() {
            return r;
        }
        r.with(r.per * y.is_above(0.0))
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
}
