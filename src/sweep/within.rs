//! Subgraphs: relevance crosses the units within, in each run.
//!
//! A node forgets what its subgraphs computed, so they are computed again where relevance crosses them. Of
//! two branches that is done under the same condition. What runs again and again runs once more forward, to
//! keep what each run began with, and then backwards: the relevance of the states is the state of the
//! sweep, what is added up is that of captured values, and parts of what was scanned are given out. It is
//! backpropagation through time, for any rule.

use std::collections::BTreeMap;

use super::{Crossing, Relevance, Shares, Sweep};
use crate::{
    ir::{Along, Error, Expr, Graph, Past, Runs, Stacked, State, Steps, Value},
    onnx::{DataType, schema::TensorProto},
    plan::{Body, Inner, places},
};

impl<'e> Crossing<'_, 'e> {
    /// The relevance that operands of a node with subgraphs get of that of its results.
    pub(super) fn within(
        &self,
        inner: &Inner,
        results: &[Option<Relevance<'e>>],
    ) -> Result<Shares<'e>, Error> {
        let outer = self.sweep.path(self.graph.label(self.unit.node));
        let shares = match &inner.runs {
            Runs::Either(then, otherwise) => self.either(inner, (*then, *otherwise), results),
            Runs::Repeated(steps) => self.repeated(inner, steps, results),
        };
        self.emitter.enter(&outer);
        shares
    }

    /// Of the branch that was taken.
    fn either(
        &self,
        inner: &Inner,
        (then, otherwise): (usize, usize),
        results: &[Option<Relevance<'e>>],
    ) -> Result<Shares<'e>, Error> {
        let call = self.unit.call(self.graph, self.emitter)?;
        let captured = call.captured();
        let branch = |place: usize| {
            let body = body(inner, place)?;
            self.emitter.within(&body.graph, &[], &captured, || {
                let outputs = body.graph.graph_outputs().zip(results);
                // Branches may differ in rank, and each knows that of its own results.
                let of_rank = |v: Value, r: Expr<'e>| match r.rank() {
                    Ok(_) => r,
                    Err(_) => r.reshape_like(self.emitter.value(v)),
                };
                let relevance = outputs.filter_map(|(v, r)| Some((v, of_rank(v, (*r)?.value()))));
                let relevance = self.back(body, relevance)?;
                let handed_in = self.of_captured(&body.graph, &relevance);
                Ok(inner.recipients.iter().map(|v| handed_in.get(v).copied()).collect::<Vec<_>>())
            })
        };
        // What a branch does not depend on gets nothing of it.
        let given = |place: usize| {
            let given = branch(place)?.into_iter().zip(&inner.recipients);
            Ok(given.map(|(r, &v)| r.unwrap_or_else(|| self.nothing(v))).collect())
        };
        let shares = self.emitter.branch(call.raw(0)?, || given(then), || given(otherwise))?;
        Ok(inner.recipients.iter().copied().zip(shares.into_iter().map(Relevance::whole)).collect())
    }

    /// Of all runs, from the last to the first.
    fn repeated(
        &self,
        inner: &Inner,
        steps: &Steps,
        results: &[Option<Relevance<'e>>],
    ) -> Result<Shares<'e>, Error> {
        let call = self.unit.call(self.graph, self.emitter)?;
        let body = body(inner, 0)?;
        let inputs: Vec<_> = body.graph.graph_inputs().collect();
        let gets = |v: Option<&Value>| v.is_some_and(|v| body.receives.contains(v));
        let result = |result: usize| results.get(result).copied().flatten().map(Relevance::value);
        // Relevance is handed on in the place of each state that has some.
        let states: Vec<&State> = steps
            .states
            .iter()
            .filter(|s| gets(inputs.get(s.input)) || result(s.result).is_some())
            .collect();
        let captured = self.graph.captured(self.unit.node).into_iter();
        let captured: Vec<_> = captured.filter(|v| inner.recipients.contains(v)).collect();
        let mut starts = Vec::new();
        for state in &states {
            let operand = self.operand(state.operand)?;
            starts.push(result(state.result).unwrap_or_else(|| self.nothing(operand)));
        }
        starts.extend(captured.iter().map(|&v| self.nothing(v)));
        let stacked = steps.stacked.iter().filter_map(|s| Some((s, result(s.result)?)));
        let (stacked, received): (Vec<&Stacked>, Vec<_>) = stacked.unzip();
        let past = self.unit.operator.history(&call)?;
        let parts = past.iter().filter_map(|past| match past {
            Past::Parts(x, along) => Some((*x, along.reversed())),
            Past::Always(_) => None,
        });
        let received = received.into_iter().zip(&stacked).map(|(r, s)| (r, s.along.reversed()));
        let mut taken_apart: Vec<_> = parts.chain(received).collect();
        let given: Vec<_> = steps.scanned.iter().filter(|s| gets(inputs.get(s.input))).collect();
        let along: Vec<Along> = given.iter().map(|s| s.along.reversed()).collect();
        let handed_in = call.captured();
        // The number of a run, where the first is unlike the others.
        let first = inner.first.as_ref().zip(taken_apart.first().copied());
        if let Some((_, (x, along))) = first {
            let number = self.emitter.positions(x, along.axis)?.reshape(&[-1]);
            taken_apart.push((number, Along { axis: 0, ..along }));
        }
        // What a run gives on, of what it gets.
        let run = |body: &Body, carried: &[Expr<'e>], parts: &[Expr<'e>]| {
            let mut parts = parts.iter().copied();
            // There are as many parts as values that are taken apart.
            let now = past.iter().filter_map(|past| match past {
                Past::Parts(..) => parts.next(),
                Past::Always(x) => Some(*x),
            });
            let now: Vec<_> = now.collect();
            let of_states = states.iter().map(|s| s.output).zip(carried.iter().copied());
            let of_parts = stacked.iter().map(|s| s.output).zip(parts);
            let received: Vec<_> = of_states.chain(of_parts).collect();
            let (inputs, outputs): (Vec<_>, Vec<_>) =
                (body.graph.graph_inputs().collect(), body.graph.graph_outputs().collect());
            self.emitter.within(&body.graph, &now, &handed_in, || {
                let received = received.into_iter();
                let received = received.filter_map(|(i, r)| Some((*outputs.get(i)?, r)));
                let relevance = self.back(body, received)?;
                let of_input = |i: usize| {
                    let r = inputs.get(i).and_then(|v| relevance.get(v)).copied();
                    let nothing = || Some(self.nothing(*inputs.get(i)?));
                    r.or_else(nothing)
                        .ok_or(Error::Operand { operand: i, what: "is missing".into() })
                };
                let mut next = Vec::new();
                for state in &states {
                    next.push(of_input(state.input)?);
                }
                let shares = self.of_captured(&body.graph, &relevance);
                let sums = carried.iter().skip(states.len()).zip(&captured);
                next.extend(sums.map(|(&sum, v)| shares.get(v).map_or(sum, |&r| sum + r)));
                for scanned in &given {
                    next.push(of_input(scanned.input)?);
                }
                Ok(next)
            })
        };
        let runs = |carried: &[Expr<'e>], parts: &[Expr<'e>]| match (first, parts.split_last()) {
            (Some((first, _)), Some((number, parts))) => self.emitter.branch(
                number.equals(self.emitter.constant(TensorProto::of_ints(&[], &[0]))),
                || run(first, carried, parts),
                || run(body, carried, parts),
            ),
            _ => run(body, carried, parts),
        };
        let relevance = match taken_apart.first().filter(|_| steps.may_be_none) {
            None => self.emitter.scan(&starts, &taken_apart, &along, runs)?,
            // Without any run, states end as they start, and nothing else counts.
            Some(&(x, Along { axis, .. })) => self.emitter.branch(
                x.size(axis).reshape(&[]).cast(DataType::Float).greater(0.0),
                || self.emitter.scan(&starts, &taken_apart, &along, runs),
                || Ok(starts.clone()),
            )?,
        };
        let states = states.iter().map(|s| s.operand).map(|i| self.operand(i));
        let given = given.iter().map(|s| s.operand).map(|i| self.operand(i));
        let values: Vec<_> = states.chain(captured.iter().map(|&v| Ok(v))).chain(given).collect();
        let mut shares = Vec::new();
        for (value, r) in values.into_iter().zip(relevance) {
            let value = value?;
            if inner.recipients.contains(&value) {
                shares.push((value, Relevance::whole(r)));
            }
        }
        Ok(shares)
    }

    /// The relevance of all values of a subgraph that get some, from that of its results.
    fn back(
        &self,
        body: &Body,
        received: impl Iterator<Item = (Value, Expr<'e>)>,
    ) -> Result<BTreeMap<Value, Expr<'e>>, Error> {
        let child = &*body.graph;
        let mut start: BTreeMap<Value, Relevance<'e>> = BTreeMap::new();
        for (value, r) in received.filter(|(v, _)| child.is_active(*v)) {
            let r = Relevance::whole(r);
            let sum = start.get(&value).map_or(r, |sum| sum.plus(r));
            start.insert(value, sum);
        }
        let around = self.sweep.path(self.graph.label(self.unit.node));
        let (units, receives) = (body.units.as_slice(), &body.receives);
        let sweep = Sweep { graph: child, units, receives, around: &around, ..*self.sweep };
        let relevance = sweep.back(start, &mut |_, _| {}, |node, source| Error::Within {
            node: child.label(node).into(),
            operator: child.node(node).operator_name(),
            source: Box::new(source),
        })?;
        Ok(relevance.into_iter().map(|(value, r)| (value, r.value())).collect())
    }

    /// The relevance of the values outside that a subgraph captures.
    fn of_captured(
        &self,
        child: &Graph,
        relevance: &BTreeMap<Value, Expr<'e>>,
    ) -> BTreeMap<Value, Expr<'e>> {
        let captured = self.graph.captured(self.unit.node);
        let of = |(v, place): (Value, usize)| Some((*captured.get(place)?, *relevance.get(&v)?));
        places(child).filter_map(of).collect()
    }

    /// An operand of the node.
    fn operand(&self, operand: usize) -> Result<Value, Error> {
        self.graph.node(self.unit.node).required(operand)
    }

    /// No relevance, in the shape of a value.
    fn nothing(&self, value: Value) -> Expr<'e> {
        let x = self.emitter.value(value);
        self.emitter.zeros_like(x.ty().relevance(), x)
    }
}

/// What is crossed in a subgraph.
fn body(inner: &Inner, place: usize) -> Result<&Body, Error> {
    let what = || Error::Unsupported { what: "a node without its subgraph".into() };
    inner.bodies.get(place).ok_or_else(what)
}
