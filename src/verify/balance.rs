//! The balance of relevance: what each unit received, what it gave on, and where the rest went.

use super::session::Array;
use crate::{
    back::{self, Output},
    compile::{Draft, emit},
    error::Error,
    ir::{Expr, Graph, Type, Value},
    onnx::{Addition, DataType, Model},
    options::Options,
    plan::Unit,
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
    /// How many elements of what it gave are infinite or no numbers. No sum counts them.
    pub not_finite: f64,
}

impl Entry {
    fn of(graph: &Graph, unit: &Unit) -> Self {
        let operators = unit.members().map(|node| graph.node(node).operator_name());
        Self {
            node: graph.label(unit.node).into(),
            operators: operators.collect::<Vec<_>>().join("+"),
            kind: unit.kind.name(),
            ..Self::default()
        }
    }

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

/// The numbers of a unit: received, by magnitude, given, by magnitude, share of the result, elements
/// that are not finite.
const NUMBERS: usize = 6;

/// Units crossed, in a model that has [`OUTPUT`].
#[derive(Debug)]
pub struct Books {
    /// What makes the model one that keeps books, in place of its explanation.
    pub addition: Addition,
    entries: Vec<Entry>,
}

/// Books that were filled in.
#[derive(Debug, Default)]
pub struct Balance {
    /// Σ |R| where relevance started, of all maps.
    pub start: f64,
    /// What each unit received and gave, of the first map.
    pub entries: Vec<Entry>,
}

impl Books {
    /// The explanation of a model with books instead of relevance.
    pub fn open(model: &Model, options: &Options) -> Result<Self, Error> {
        let Draft { graph, plan, options, .. } = Draft::new(model, options)?;
        let plan = plan.accept(&graph, options.on_unsupported)?;
        let (entries, emitted, values) = emit(&graph, &plan, &options, |sweep| {
            let starts = sweep.starts()?;
            let zero = sweep.emitter.zeros(DataType::Double, 1);
            let all = starts.iter().flat_map(|start| [Some(start.for_it), start.against]);
            let start = all.flatten().map(magnitude).reduce(|a, b| a + b).unwrap_or(zero);
            let (mut entries, mut numbers) = (Vec::new(), vec![start]);
            let Some(start) = starts.into_iter().next() else {
                return Ok((entries, Vec::new()));
            };
            sweep.run(start.for_it, &mut |unit, crossed| {
                let received: Vec<_> = crossed.received.iter().map(|r| r.value()).collect();
                let given: Vec<_> = crossed.shares.iter().map(|(_, r)| r.value()).collect();
                let kept = crossed.kept.map_or_else(|| received.clone(), |kept| vec![kept]);
                for (of, what) in [
                    (&received, total as fn(Expr<'_>) -> Expr<'_>),
                    (&received, magnitude),
                    (&given, total),
                    (&given, magnitude),
                    (&kept, total),
                    (&given, not_finite),
                ] {
                    let sums = of.iter().map(|r| what(*r));
                    numbers.push(sums.reduce(|a, b| a + b).unwrap_or(zero));
                }
                entries.push(Entry::of(&graph, unit));
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

    /// The books with the numbers that [`OUTPUT`] was found to hold.
    pub fn close(self, numbers: &[f64]) -> Balance {
        let Some((&start, numbers)) = numbers.split_first() else { return Balance::default() };
        let (chunks, _) = numbers.as_chunks::<NUMBERS>();
        let filled = self.entries.into_iter().zip(chunks);
        let fill = |(entry, numbers): (Entry, &[f64; NUMBERS])| {
            let &[received, received_magnitude, given, given_magnitude, kept, not_finite] = numbers;
            Entry {
                received,
                received_magnitude,
                given,
                given_magnitude,
                stabiliser: received - kept,
                bias: kept - given,
                not_finite,
                ..entry
            }
        };
        Balance { start, entries: filled.map(fill).collect() }
    }
}

/// What each unit gives to each of its operands, in a model that has an output for each share. It takes the
/// memory of all of them, and is for finding out where something is lost.
pub struct Shares {
    /// What makes the model one that shows them, in place of its explanation.
    pub addition: Addition,
    /// The unit of each share.
    pub units: Vec<Entry>,
}

impl Shares {
    /// How the outputs are called, before their number.
    const OUTPUT: &str = "abslrp_share_";

    /// The shares of a model, of the first map.
    pub fn open(model: &Model, options: &Options) -> Result<Self, Error> {
        let Draft { graph, plan, options, .. } = Draft::new(model, options)?;
        let plan = plan.accept(&graph, options.on_unsupported)?;
        let (units, emitted, values) = emit(&graph, &plan, &options, |sweep| {
            let (mut units, mut values) = (Vec::new(), Vec::new());
            for start in sweep.starts()?.into_iter().take(1) {
                sweep.run(start.for_it, &mut |unit, crossed| {
                    for (_, share) in &crossed.shares {
                        units.push(Entry::of(&graph, unit));
                        values.push(share.value().value());
                    }
                })?;
            }
            Ok((units, values))
        })?;
        let outputs = values.into_iter().enumerate().map(|(at, value)| Output {
            name: format!("{}{at}", Self::OUTPUT),
            value,
            ty: Type { elem: emitted.ty(value).elem, shape: None },
        });
        let outputs: Vec<_> = outputs.collect();
        Ok(Self { addition: back::addition(&emitted, &outputs), units })
    }

    /// The shares among the outputs of a run, in order.
    pub fn of(outputs: Vec<(String, Array)>) -> Vec<Array> {
        let mut shares: Vec<(usize, Array)> = outputs
            .into_iter()
            .filter_map(|(name, share)| {
                Some((name.strip_prefix(Self::OUTPUT)?.parse().ok()?, share))
            })
            .collect();
        shares.sort_by_key(|(at, _)| *at);
        shares.into_iter().map(|(_, share)| share).collect()
    }
}

/// The sum of all finite elements, as a list of one. In float64, where no sum of float32 is infinite.
fn total(r: Expr<'_>) -> Expr<'_> {
    let r = r.cast(DataType::Double);
    sum(r.where_or(is_finite(r), 0.0))
}

/// The sum of the magnitudes of all finite elements.
fn magnitude(r: Expr<'_>) -> Expr<'_> {
    total(r.abs())
}

/// How many elements are infinite or no numbers.
fn not_finite(r: Expr<'_>) -> Expr<'_> {
    let r = r.cast(DataType::Double);
    sum(1.0 - is_finite(r).cast(DataType::Double))
}

/// Where elements of float64 are finite. Relevance of float64 never comes near the bound.
fn is_finite(r: Expr<'_>) -> Expr<'_> {
    r.emitter().scalar(DataType::Double, 1e300).exceeds(r.abs())
}

fn sum(r: Expr<'_>) -> Expr<'_> {
    r.reshape(&[-1]).sum(&[0], true)
}
