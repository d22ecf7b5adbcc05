//! What verification found, for machines and for people.

use std::{fmt::Write, path::PathBuf};

use super::{balance::Entry, feeds::Feed, session::Device};
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
    /// What each unit received and gave, from the explained tensor to the inputs; of the first map,
    /// where there are several.
    pub units: Vec<Entry>,
    /// Whether every promise holds.
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
    /// The relative L1 distance to that level's.
    pub other_level_distance: f64,
    /// The relative L1 change when inputs change by a rounding of float32. Far above 1e-6 the rule
    /// is ill-conditioned on these inputs, as where it divides by values that vanish.
    pub conditioning: f64,
    /// Whether that is as promised.
    pub holds: bool,
}

impl Report {
    /// The report for people.
    pub fn text(&self) -> String {
        let mut out = String::new();
        let mark = |holds: bool| if holds { "ok  " } else { "FAIL" };
        let shape =
            |shape: &[usize]| shape.iter().map(usize::to_string).collect::<Vec<_>>().join("×");
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
        for r in &self.relevance {
            let finite = if r.finite { "finite" } else { "NOT finite" };
            let _ = writeln!(
                out,
                "{}  {} {}: {finite}, Σ {:.4e}, Σ|R| {:.4e}; {:.1e} from {}",
                mark(r.holds),
                Shown(&r.name),
                shape(&r.shape),
                r.sum,
                r.magnitude,
                r.other_level_distance,
                r.other_level
            );
            if r.conditioning > 1e-3 {
                let _ = writeln!(
                    out,
                    "      ill-conditioned on these inputs: a rounding of the inputs changes it by \
                     {:.1e}; under the rule abslrp no unit gives on more than it gets",
                    r.conditioning
                );
            }
            if r.finite && !r.holds {
                let _ = writeln!(
                    out,
                    "      rounding does not explain how far the levels are apart: they agree where values \
                     are far above ε, and on these inputs some may not be (the balance shows what \
                     stabilisers keep); scale the inputs, or compile at -O0 for the formula to the letter"
                );
            }
        }
        let mut worst: Vec<_> = self.units.iter().filter(|u| u.amplification() > 2.0).collect();
        worst.sort_by(|a, b| b.amplification().total_cmp(&a.amplification()));
        for unit in worst.iter().take(3) {
            let _ = writeln!(
                out,
                "      relevance grows {:.1e} times at '{}' ({})",
                unit.amplification(),
                Shown(&unit.node),
                Shown(&unit.operators)
            );
        }
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
