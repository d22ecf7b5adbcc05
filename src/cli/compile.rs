//! `abslrp compile`

use std::{
    fmt::Write,
    path::{Path, PathBuf},
};

use abslrp::{
    IllConditioned, Portability,
    onnx::{self, shown::Shown},
};

use super::{Explain, Failure, Report, progress, verify::Run};

/// Writes a model that explains itself
#[derive(clap::Args)]
pub struct Args {
    /// The model
    model: PathBuf,
    /// The file to write [default: MODEL with `.explained` before its extension]
    #[arg(short, long = "out", value_name = "OUT")]
    out: Option<PathBuf>,
    #[command(flatten)]
    explain: Explain,
    /// Run it beside its source on ONNX Runtime; nothing is written if a check does not hold
    #[arg(long)]
    verify: bool,
    #[command(flatten)]
    run: Run,
    /// Write the summary as JSON
    #[arg(long)]
    json: bool,
}

impl Args {
    pub fn run(self) -> Result<Report, Failure> {
        let model = onnx::Model::open(&self.model)?;
        let out = self.out.unwrap_or_else(|| self.model.with_extension("explained.onnx"));
        let mut transaction = onnx::Transaction::default();
        model.files().iter().for_each(|path| transaction.protect(path));
        self.explain.files().chain(self.run.files()).for_each(|path| transaction.protect(path));
        transaction.check(&out)?;
        let explanation =
            abslrp::compile(&model, &self.explain.into()).map_err(Failure::lrp(&self.model))?;
        let progress = progress("writing");
        let writer = explanation.writer().progress(&progress);
        let bytes = writer.stage(&out, &mut transaction)?;

        let summary = explanation.summary();
        let mut text = text(summary, &out, bytes);
        let mut json = serde_json::json!({ "out": out, "bytes": bytes, "summary": summary });
        let mut holds = true;
        if self.verify {
            // What was asked for is a verified model: until it is one, nobody sees it.
            let staged = transaction.rehearse(&out)?;
            let mut report = self.run.verify(&staged, Some(self.model))?;
            report.model = out;
            text += &report.text();
            holds = report.holds;
            json["verification"] = serde_json::json!(report);
        }
        if holds {
            transaction.commit()?;
        } else {
            text += "nothing was written, because a check did not hold\n";
        }
        Ok(Report { text, json, as_json: self.json, holds })
    }
}

fn text(summary: &abslrp::Summary, out: &Path, bytes: u64) -> String {
    let mut text = String::new();
    let (before, added) = summary.nodes;
    let _ = writeln!(text, "{}: {bytes} bytes, {before} nodes and {added} more", out.display());
    let _ = writeln!(
        text,
        "      explains {} ({}, target {}, init {}, {}) across {} units",
        Shown(&summary.output),
        summary.options.rule_text(),
        summary.options.target,
        summary.options.init,
        summary.options.level,
        summary.units
    );
    if let Some((output, operator)) = &summary.instead_of {
        let (output, operator) = (Shown(output), Shown(operator));
        let _ = writeln!(
            text,
            "      that is what {output} has before its {operator}; --after-softmax explains it itself"
        );
    }
    for (name, ty) in &summary.others {
        let _ = writeln!(text, "      --output {} explains that one ({ty})", Shown(name));
    }
    for (name, ty) in &summary.relevance {
        let _ = writeln!(text, "      output {}: {ty}", Shown(name));
    }
    for name in &summary.unreached {
        let _ = writeln!(text, "      no relevance reaches {}", Shown(name));
    }
    if let Some(IllConditioned { node, operator, rule, inputs }) = &summary.ill_conditioned {
        let (node, operator, inputs) = (Shown(node), Shown(operator), inputs.join(", "));
        let whose = if inputs.is_empty() {
            "activations".into()
        } else {
            format!("{} (unless it is never negative)", Shown(&inputs))
        };
        let _ = writeln!(
            text,
            "      warning: {rule} is ill-conditioned at '{node}' ({operator}): it divides by a sum of {whose} \
             of either sign, which can vanish; --rule abslrp holds there, and `abslrp verify` measures it"
        );
    }
    let (portable, others): (Vec<_>, Vec<_>) =
        summary.runtimes.iter().partition(|found| found.limits.is_empty());
    let names: Vec<_> = portable.iter().map(|p| format!("{} {}", p.runtime, p.version)).collect();
    let _ = writeln!(text, "      known to run on {}", names.join(", "));
    for Portability { runtime, version, limits } in others {
        let limits: Vec<_> = limits.iter().map(|l| format!("{} {}", l.operator, l.form)).collect();
        let _ = writeln!(text, "      not on {runtime} {version}, for {}", limits.join("; "));
    }
    for cut in &summary.cut {
        let _ = writeln!(text, "      cut: {cut}");
    }
    for warning in &summary.warnings {
        let _ = writeln!(text, "      warning: {warning}");
    }
    text
}
