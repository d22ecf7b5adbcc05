//! The balance of relevance: what each unit received, what it gave on, and where the rest went.

use crate::{
    back::{self, Output},
    compile::{Draft, emit},
    error::Error,
    ir::{Expr, Type, Value},
    onnx::{Addition, DataType, Model},
    options::Options,
};

/// A unit in the books.
#[derive(Debug, Clone, Default, serde::Serialize)]
pub struct Entry {
    /// Its node.
    pub node: String,
    /// Its operators.
    pub operators: String,
    /// Its kind.
    pub kind: &'static str,
    /// Σ R of its results.
    pub received: f64,
    /// Σ |R| of its results.
    pub received_magnitude: f64,
    /// Σ R of what it gave to its operands.
    pub given: f64,
    /// Σ |R| of what it gave to its operands.
    pub given_magnitude: f64,
    /// What its stabiliser kept: ε, and where the rule has it, the sign of what it divides by.
    pub stabiliser: f64,
    /// What went to a bias, to constants, or to operands that lead to no input.
    pub bias: f64,
}

impl Entry {
    /// How much more relevance, by magnitude, left the unit than came. Far above 1, the unit divides
    /// by values that vanish.
    pub fn amplification(&self) -> f64 {
        if self.received_magnitude > 0.0 {
            self.given_magnitude / self.received_magnitude
        } else {
            0.0
        }
    }
}

/// The output that a model keeps its books in.
pub const OUTPUT: &str = "abslrp_balance";

/// The numbers of a unit: received, by magnitude, given, by magnitude, share of the result.
const NUMBERS: usize = 5;

/// Units crossed, in a model that has [`OUTPUT`].
pub struct Books {
    /// What makes the model one that keeps books, in place of its explanation.
    pub addition: Addition,
    entries: Vec<Entry>,
}

impl Books {
    /// The explanation of a model with books instead of relevance.
    pub fn open(model: &Model, options: &Options) -> Result<Self, Error> {
        let Draft { graph, plan, options, .. } = Draft::new(model, options)?;
        let plan = plan.accept(&graph, options.on_unsupported)?;
        let (entries, emitted, values) = emit(&graph, &plan, &options, |sweep| {
            let (mut entries, mut numbers) = (Vec::new(), Vec::new());
            let Some(start) = sweep.starts()?.into_iter().next() else {
                return Ok((entries, Vec::new()));
            };
            sweep.run(start.for_it, &mut |unit, crossed| {
                let received: Vec<_> = crossed.received.iter().map(|r| r.value()).collect();
                let given: Vec<_> = crossed.shares.iter().map(|(_, r)| r.value()).collect();
                let kept = crossed.kept.map_or_else(|| totals(&received), |kept| vec![total(kept)]);
                let zero = total(sweep.emitter.zeros(DataType::Float, 1));
                for sums in [
                    totals(&received),
                    magnitudes(&received),
                    totals(&given),
                    magnitudes(&given),
                    kept,
                ] {
                    numbers.push(sums.into_iter().reduce(|a, b| a + b).unwrap_or(zero));
                }
                let operators = unit.members().map(|node| graph.node(node).operator_name());
                entries.push(Entry {
                    node: graph.label(unit.node).into(),
                    operators: operators.collect::<Vec<_>>().join("+"),
                    kind: unit.kind.name(),
                    ..Entry::default()
                });
            })?;
            Ok((
                entries,
                Expr::concat(&numbers, 0).map(|books| books.value()).into_iter().collect(),
            ))
        })?;
        let output = |value: Value| {
            let ty = Type { elem: emitted.ty(value).elem, shape: None };
            Output { name: OUTPUT.into(), value, ty }
        };
        let outputs: Vec<_> = values.into_iter().map(output).collect();
        Ok(Self { addition: back::addition(&emitted, &outputs), entries })
    }

    /// The entries with the numbers that [`OUTPUT`] was found to hold.
    pub fn close(self, numbers: &[f64]) -> Vec<Entry> {
        let (chunks, _) = numbers.as_chunks::<NUMBERS>();
        let filled = self.entries.into_iter().zip(chunks);
        filled
            .map(|(entry, &[received, received_magnitude, given, given_magnitude, kept])| Entry {
                received,
                received_magnitude,
                given,
                given_magnitude,
                stabiliser: received - kept,
                bias: kept - given,
                ..entry
            })
            .collect()
    }
}

fn totals<'e>(all: &[Expr<'e>]) -> Vec<Expr<'e>> {
    all.iter().map(|r| total(*r)).collect()
}

fn magnitudes<'e>(all: &[Expr<'e>]) -> Vec<Expr<'e>> {
    all.iter().map(|r| total(r.abs())).collect()
}

/// The sum of all elements, as a list of one.
fn total(r: Expr<'_>) -> Expr<'_> {
    r.reshape(&[-1]).sum(&[0], true)
}
