//! `abslrp compile`

use std::{fmt::Write, path::PathBuf};

use abslrp::{lrp, onnx};

use super::{Explain, Failure, Report, progress};

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
    /// Write the summary as JSON
    #[arg(long)]
    json: bool,
}

impl Args {
    pub fn run(self) -> Result<Report, Failure> {
        let model = onnx::Model::open(&self.model)?;
        let out = self.out.unwrap_or_else(|| self.model.with_extension("explained.onnx"));
        let explanation = lrp::explain(&model, &self.explain.into())
            .map_err(Failure::lrp(&self.model))?;
        let limit = onnx::PROTOBUF_LIMIT;
        let bytes =
            onnx::write(&model, &explanation.addition, &out, limit, &progress("writing"))?;

        let summary = explanation.summary;
        let mut text = String::new();
        let _ = writeln!(text, "{}", out.display());
        let json = serde_json::json!({ "out": out, "bytes": bytes, "summary": summary });
        Ok(Report { text, json, as_json: self.json, holds: true })
    }
}
