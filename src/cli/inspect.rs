//! `abslrp inspect`

use std::{collections::BTreeMap, fmt::Write, path::PathBuf};

use super::Explain;
use super::Failure;
use super::Report;
use abslrp::{
    onnx::Model,
    plan::{Plan, Planned},
};
use serde_json::json;

/// Shows the plan: each unit and what becomes of relevance there; writes nothing
#[derive(clap::Args)]
pub struct Args {
    /// The model
    #[arg(required_unless_present = "operators")]
    model: Option<PathBuf>,
    /// List all operators and the operator set since which each is supported
    #[arg(long, conflicts_with = "model")]
    operators: bool,
    #[command(flatten)]
    explain: Explain,
    /// Write the plan as JSON
    #[arg(long)]
    json: bool,
}

impl Args {
    pub fn run(self) -> Result<Report, Failure> {
        let Some(path) = self.model else { return Ok(operators(self.json)) };
        let model = Model::open(&path)?;
        let graph =
            abslrp::front::import(&model, &abslrp::ops::REGISTRY).map_err(Failure::lrp(&path))?;
        let options: abslrp::Options = self.explain.into();
        let plan = Plan::new(&graph, &options).map_err(Failure::lrp(&path))?;

        let mut text = String::new();
        let explained = graph.name(plan.explained.value);
        let ty = graph.type_text(graph.ty(plan.explained.value));
        let _ = writeln!(
            text,
            "{}: ir {}, opset {}; explains {explained}: {ty} with {}",
            path.display(),
            graph.ir_version(),
            graph.opset(),
            options.rule_text()
        );
        let mut units = Vec::new();
        let mut kinds = BTreeMap::new();
        for Planned { unit, treatment, rule, why } in &plan.units {
            let operators: Vec<_> =
                unit.members().map(|node| graph.node(node).operator_name()).collect();
            let treatment = treatment.name();
            let rule = match why {
                Some(why) => format!("{rule} ({why})"),
                None => rule.to_string(),
            };
            let (kind, node) = (unit.kind.name(), graph.label(unit.node));
            *kinds.entry(kind).or_insert(0usize) += 1;
            let ty = graph.type_text(graph.ty(unit.output));
            let operators = operators.join("+");
            let _ = writeln!(
                text,
                "  {kind:<13} {rule:<12} {treatment:<8} {operators:<28} {ty:<28} {node}"
            );
            units.push(json!({
                "node": node, "operators": operators, "kind": kind, "rule": rule, "treatment": treatment,
                "type": ty,
            }));
        }
        let inputs: Vec<_> = plan.inputs.iter().map(|&v| graph.name(v)).collect();
        let problems: Vec<_> = plan.unsupported.iter().map(ToString::to_string).collect();
        let stops: Vec<_> = plan.stops.iter().map(|&node| graph.label(node)).collect();
        let counts: Vec<_> = kinds.iter().map(|(kind, n)| format!("{n} {kind}")).collect();
        let _ = writeln!(text, "units: {}", counts.join(", "));
        let _ = writeln!(text, "relevance of: {}", inputs.join(", "));
        let passes: Vec<_> = options.passes().map(|pass| pass.name).collect();
        let _ = writeln!(text, "passes at {}: {}", options.level, passes.join(", "));
        for problem in &problems {
            let _ = writeln!(text, "unsupported: {problem}");
        }
        if !stops.is_empty() {
            let _ = writeln!(text, "nothing flows through: {}", stops.join(", "));
        }
        let explained_model = abslrp::compile(&model, &options);
        let cost = match &explained_model {
            Ok(explanation) => {
                let abslrp::Summary { multiply_adds: (plain, whole), nodes, added_bytes, .. } =
                    explanation.summary;
                let _ = writeln!(
                    text,
                    "cost: {added_bytes} bytes and {} nodes more; {plain:.3e} multiply-adds become \
                     {whole:.3e} ({:.2} ×)",
                    nodes.1,
                    whole / plain.max(1.0)
                );
                json!({ "added_bytes": added_bytes, "multiply_adds": [plain, whole] })
            }
            Err(error) => {
                if problems.is_empty() {
                    let _ = writeln!(text, "{error}");
                }
                serde_json::Value::Null
            }
        };
        let json = json!({
            "cost": cost, "model": path, "explained": explained, "options": options, "units": units,
            "kinds": kinds, "passes": passes, "inputs": inputs, "unsupported": problems, "stops": stops,
        });
        Ok(Report { text, json, as_json: self.json, holds: explained_model.is_ok() })
    }
}

/// The table of operators.
fn operators(as_json: bool) -> Report {
    let mut since: BTreeMap<i64, Vec<&str>> = BTreeMap::new();
    for (name, opset) in abslrp::ops::REGISTRY.table() {
        since.entry(opset).or_default().push(name);
    }
    let mut text = String::from("| since opset | operators |\n|---|---|\n");
    for (opset, names) in &since {
        let _ = writeln!(text, "| {opset} | {} |", names.join(", "));
    }
    let _ = writeln!(text, "| fused, in other domains | {} |", abslrp::front::FUSED.join(", "));
    let json = json!({ "operators": abslrp::ops::REGISTRY.table(), "fused": abslrp::front::FUSED });
    Report { text, json, as_json, holds: true }
}
