//! What verification found, for machines and for people.

use std::{fmt::Write, path::PathBuf};

use super::{
    balance::Entry,
    elsewhere,
    feeds::Feed,
    judge::{Fault, MOVEMENT},
    rounding::Moved,
    session::Device,
};
use crate::onnx::shown::Shown;

/// What was found.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Report {
    /// The explained model.
    pub model: PathBuf,
    /// Where it ran.
    pub device: Device,
    /// The inputs it ran on.
    pub inputs: Vec<Feed>,
    /// The original outputs.
    pub outputs: Vec<OutputReport>,
    /// The added outputs.
    pub relevance: Vec<RelevanceReport>,
    /// Σ |R| where relevance started, of all maps.
    pub start: f64,
    /// Whether the rule promises that the Σ |R| of all inputs is not larger than that.
    pub bounded: bool,
    /// What was moved by its rounding to see how far maps move.
    pub moved: Moved,
    /// What is wrong with all maps together.
    pub fault: Option<Fault>,
    /// Where maps that move too far with rounding are lost.
    pub lost: Option<Lost>,
    /// What was tried instead where a map does not hold, up to what holds.
    pub alternatives: Vec<Alternative>,
    /// What each unit received and gave, from the explained tensor to the inputs; of the first map,
    /// where there are several.
    pub units: Vec<Entry>,
    /// What was found on another runtime.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub elsewhere: Option<elsewhere::Report>,
    /// Whether every promise holds.
    pub holds: bool,
}

/// The unit where relevance begins to move too far with the rounding of inputs and weights.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Lost {
    /// Its node.
    pub node: String,
    /// Its operators.
    pub operators: String,
    /// How far what it gives on moves, relative L1.
    pub by: f64,
}

/// Another rule or composite on the same network and inputs.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Alternative {
    /// The option that chooses it.
    pub choice: String,
    /// How far its maps move with the rounding of inputs and weights, relative L1, the largest of all.
    pub movement: Option<f64>,
    /// Whether they are finite, not all 0, do not move too far, and agree at both levels.
    pub holds: bool,
}

/// An original output.
#[derive(Debug, Clone, serde::Serialize)]
pub struct OutputReport {
    /// Its name.
    pub name: String,
    /// Whether it has the source's bits with graph optimisations off.
    pub identical: bool,
    /// The largest difference with graph optimisations off, relative to the largest value.
    pub difference: f64,
    /// The largest difference with graph optimisations on, relative to the largest value.
    pub optimised_difference: f64,
    /// Whether that is as promised.
    pub holds: bool,
}

/// An added output.
#[derive(Debug, Clone, serde::Serialize)]
pub struct RelevanceReport {
    /// Its name.
    pub name: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// Whether all of it is finite, with graph optimisations off and on.
    pub finite: bool,
    /// Σ R
    pub sum: f64,
    /// Σ |R|
    pub magnitude: f64,
    /// The level it is compared with.
    pub other_level: String,
    /// The relative L1 distance to that level's, where it is a number.
    pub other_level_distance: Option<f64>,
    /// The relative L1 change when inputs and weights change by their rounding, where something could be
    /// changed and it is a number.
    pub movement: Option<f64>,
    /// What does not hold.
    pub faults: Vec<Fault>,
    /// Whether that is as promised.
    pub holds: bool,
}

impl Report {
    /// The report for people.
    pub fn text(&self) -> String {
        let mut out = String::new();
        let mark = |holds: bool| if holds { "ok  " } else { "FAIL" };
        let shape = |shape: &[usize]| match shape {
            [] => String::from("scalar"),
            sizes => sizes.iter().map(usize::to_string).collect::<Vec<_>>().join("×"),
        };
        let device = if self.device == Device::Cuda { "CUDA" } else { "CPU" };
        let _ = writeln!(out, "{} on ONNX Runtime ({device})", self.model.display());
        for feed in &self.inputs {
            let origin = match (feed.given, feed.below) {
                (true, _) => "given".into(),
                (false, Some(below)) => format!("random below {below}"),
                (false, None) => String::from("random"),
            };
            let _ =
                writeln!(out, "      input {} {}, {origin}", Shown(&feed.name), shape(&feed.shape));
        }
        for output in &self.outputs {
            let bits = match (output.identical, output.holds) {
                (true, _) => String::from("bit-identical to the source's"),
                (false, true) => format!(
                    "{:.1e} from the source's, within the rounding of its type",
                    output.difference
                ),
                (false, false) => {
                    format!("NOT bit-identical to the source's, {:.1e} apart", output.difference)
                }
            };
            let _ = writeln!(
                out,
                "{}  output {}: {bits}; {:.1e} apart with graph optimisations",
                mark(output.holds),
                Shown(&output.name),
                output.optimised_difference
            );
        }
        let number = |n: Option<f64>| n.map_or("not finite".into(), |n| format!("{n:.1e}"));
        for r in &self.relevance {
            let finite = if r.finite { "finite" } else { "NOT finite" };
            let moves = if self.moved == Moved::default() {
                String::new()
            } else {
                format!(", moves by {}", number(r.movement))
            };
            let _ = writeln!(
                out,
                "{}  {} {}: {finite}, Σ {:.4e}, Σ|R| {:.4e}; {} from {}{moves}",
                mark(r.holds),
                Shown(&r.name),
                shape(&r.shape),
                r.sum,
                r.magnitude,
                number(r.other_level_distance),
                r.other_level
            );
        }
        if self.fault.is_none() && self.bounded && self.relevance.iter().all(|r| r.finite) {
            let _ = writeln!(out, "ok    Σ|R| is not above the {:.4e} it started from", self.start);
        }
        out += &self.faults();
        if let (Some(first), Some(last)) = (self.units.first(), self.units.last()) {
            let sum = |of: fn(&Entry) -> f64| self.units.iter().map(of).sum::<f64>();
            let _ = writeln!(
                out,
                "      balance: {:.4e} started, biases and constants took {:.4e}, stabilisers {:.4e}, \
                 the last unit gave {:.4e} to its operands",
                first.received,
                sum(|u| u.bias),
                sum(|u| u.stabiliser),
                last.given
            );
        }
        if let Some(elsewhere) = &self.elsewhere {
            let level = self.relevance.first().map(|r| r.other_level.as_str());
            out += &elsewhere.text(level);
        }
        out
    }

    /// What does not hold, and what to do about it.
    fn faults(&self) -> String {
        let mut out = String::new();
        match self.fault {
            Some(Fault::Nothing) => {
                let dry = self
                    .units
                    .iter()
                    .find(|u| u.received_magnitude > 0.0 && u.given_magnitude <= 0.0);
                let _ = match dry {
                    Some(unit) => writeln!(
                        out,
                        "FAIL  all relevance is 0: none is given on by '{}' ({}); give inputs on which it \
                         is not 0 with --input NAME=FILE.npy, or explain another tensor with --output",
                        Shown(&unit.node),
                        Shown(&unit.operators)
                    ),
                    None => writeln!(
                        out,
                        "FAIL  all relevance is 0: what it starts from is 0 on these inputs; give others \
                         with --input NAME=FILE.npy, or start elsewhere with --init or --output"
                    ),
                };
            }
            Some(Fault::Unbounded { magnitude, start }) => {
                let grows = self
                    .units
                    .iter()
                    .max_by(|a, b| a.amplification().total_cmp(&b.amplification()));
                let at = grows.map_or(String::new(), |unit| {
                    let (node, operators) = (Shown(&unit.node), Shown(&unit.operators));
                    format!(", most at '{node}' ({operators}), {:.3} times", unit.amplification())
                });
                let _ = writeln!(
                    out,
                    "FAIL  Σ|R| grew from {start:.4e} to {magnitude:.4e}{at}: the rule promises that it does \
                     not, so that this is a fault of abslrp: please report it"
                );
            }
            _ => {}
        }
        let has =
            |what: fn(&Fault) -> bool| self.relevance.iter().flat_map(|r| &r.faults).any(what);
        let moves = has(|fault| matches!(fault, Fault::Moves { .. }));
        let levels = has(|fault| matches!(fault, Fault::Levels { .. }));
        if self.moved == Moved::default() {
            out += "      how far rounding moves the map is not known: inputs are whole numbers, and \
                    weights lie in other files\n";
        } else if moves {
            let what = match self.moved {
                Moved { inputs: true, weights: true } => "inputs and weights",
                Moved { inputs: true, weights: false } => "inputs",
                Moved { .. } => "weights",
            };
            let _ = writeln!(
                out,
                "      ill-conditioned on these inputs: the map moves by more than {MOVEMENT:.0e} of itself \
                 when {what} move by their rounding"
            );
        } else if levels {
            out += "      levels are further apart than 1e-2 of the map, which rounding does not explain: \
                    they agree where values are far above ε, and on these inputs some may not be (--units \
                    shows what stabilisers keep); scale the inputs, or compile at -O0 for the formula to \
                    the letter\n";
        }
        if let Some(Lost { node, operators, by }) = &self.lost {
            let _ = writeln!(
                out,
                "      that begins at '{}' ({}), where relevance moves by {by:.1e}",
                Shown(node),
                Shown(operators)
            );
        }
        if let Some(unit) = self.units.iter().find(|unit| unit.not_finite > 0.0) {
            let _ = writeln!(
                out,
                "      relevance is first not finite at '{}' ({})",
                Shown(&unit.node),
                Shown(&unit.operators)
            );
        }
        for Alternative { choice, movement, holds } in &self.alternatives {
            let movement = movement.map_or(String::new(), |by| format!(": it moves by {by:.1e}"));
            let _ = match holds {
                true => writeln!(out, "      {choice} holds on this network{movement}"),
                false => writeln!(out, "      {choice} does not hold either{movement}"),
            };
        }
        out
    }

    /// The balance of every unit, for people.
    pub fn balance(&self) -> String {
        let mut out = format!(
            "      {:>11} {:>11} {:>11} {:>11}  unit\n",
            "received", "given", "stabiliser", "bias"
        );
        for u in &self.units {
            let _ = writeln!(
                out,
                "      {:>11.4e} {:>11.4e} {:>11.4e} {:>11.4e}  {} '{}'",
                u.received,
                u.given,
                u.stabiliser,
                u.bias,
                Shown(&u.operators),
                Shown(&u.node)
            );
        }
        out
    }
}
