//! `abslrp inspect`

use std::{collections::BTreeMap, fmt::Write, path::PathBuf};

use abslrp::{Runtime, onnx::Model};
use serde_json::json;

use super::{Explain, Failure, Report, advice};

/// Shows the plan: each unit and what becomes of relevance there; writes nothing
#[derive(clap::Args)]
pub struct Args {
    /// The model
    #[arg(required_unless_present_any = ["operators", "runtimes"])]
    model: Option<PathBuf>,
    /// List all operators and the operator set since which each is supported
    #[arg(long, conflicts_with = "model")]
    operators: bool,
    /// List the runtimes that explained models are tried on, and what each is known not to run
    #[arg(long, conflicts_with_all = ["model", "operators"])]
    runtimes: bool,
    #[command(flatten)]
    explain: Explain,
    /// Write the plan as JSON
    #[arg(long)]
    json: bool,
}

impl Args {
    pub fn run(self) -> Result<Report, Failure> {
        let Some(path) = self.model else {
            return Ok(if self.runtimes { runtimes(self.json) } else { operators(self.json) });
        };
        let model = Model::open(&path)?;
        let inspection =
            abslrp::inspect(&model, &self.explain.into()).map_err(Failure::lrp(&path))?;
        let hint = inspection.refusal.as_ref().and_then(|error| error.hint());
        let advice = advice(hint).map_or(String::new(), |advice| format!("{advice}\n"));
        Ok(Report {
            text: inspection.text() + &advice,
            json: json!(inspection),
            as_json: self.json,
            holds: inspection.refusal.is_none(),
        })
    }
}

/// The table of runtimes.
fn runtimes(as_json: bool) -> Report {
    let mut text = String::from("| runtime | version | does not run |\n|---|---|---|\n");
    for Runtime { name, version, limits, .. } in abslrp::RUNTIMES {
        let limits: Vec<_> =
            limits.iter().map(|l| format!("`{}` {}", l.operator, l.form)).collect();
        let _ = writeln!(text, "| {name} | {version} | {} |", limits.join("; "));
    }
    Report { text, json: json!(abslrp::RUNTIMES), as_json, holds: true }
}

/// The table of operators.
fn operators(as_json: bool) -> Report {
    let mut since: BTreeMap<i64, Vec<&str>> = BTreeMap::new();
    for (name, opset) in abslrp::operators() {
        since.entry(opset).or_default().push(name);
    }
    let mut text = String::from("| since opset | operators |\n|---|---|\n");
    for (opset, names) in &since {
        let _ = writeln!(text, "| {opset} | {} |", names.join(", "));
    }
    let _ =
        writeln!(text, "| fused, in other domains | {} |", abslrp::contrib_operators().join(", "));
    let json = json!({ "operators": abslrp::operators(), "fused": abslrp::contrib_operators() });
    Report { text, json, as_json, holds: true }
}
