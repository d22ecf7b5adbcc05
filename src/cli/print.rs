//! `abslrp print`

use std::path::PathBuf;

use abslrp::onnx::Model;

use super::{Failure, Report};

/// Writes a model as stable, diffable text
#[derive(clap::Args)]
pub struct Args {
    /// The model
    model: PathBuf,
}

impl Args {
    pub fn run(self) -> Result<Report, Failure> {
        let model = Model::open(&self.model)?;
        let text = abslrp::print(&model);
        Ok(Report { text, json: serde_json::Value::Null, as_json: false, holds: true })
    }
}
