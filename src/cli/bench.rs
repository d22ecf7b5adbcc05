//! `abslrp bench`

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
};

use abslrp::{
    onnx::transaction::Scratch,
    verify::{
        Error,
        bench::{self, Alone, Request, bench},
        session::Device,
    },
};

use super::{Explain, Failure, Report, spinner, verify::Runtime};

/// Measures what an explanation costs on ONNX Runtime: plain, -O0 and as asked, in turn
#[derive(clap::Args)]
pub struct Args {
    /// The model
    model: PathBuf,
    #[command(flatten)]
    explain: Explain,
    /// The number of samples in a batch, where the model leaves it open
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = at_most::<65_536>)]
    batch: usize,
    /// The size of other axes that the model leaves open
    #[arg(long, default_value_t = 224, value_name = "N", value_parser = at_most::<65_536>)]
    size: usize,
    /// How often each runs
    #[arg(long, default_value_t = 12, value_name = "N", value_parser = at_most::<65_536>)]
    rounds: usize,
    /// The number of threads [default: ONNX Runtime's choice]
    #[arg(long, value_name = "N", value_parser = at_most::<1024>)]
    threads: Option<usize>,
    /// Where to run
    #[arg(long, value_enum, default_value_t)]
    device: Device,
    /// Tell kernels apart, by operator
    #[arg(long)]
    profile: bool,
    #[command(flatten)]
    runtime: Runtime,
    /// Write the report as JSON
    #[arg(long)]
    json: bool,
    /// Load and run the model as it is, and say what that takes
    #[arg(long, hide = true)]
    alone: bool,
}

/// A number from 1 to a limit that nobody who means it reaches.
fn at_most<const LIMIT: usize>(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(n) if (1..=LIMIT).contains(&n) => Ok(n),
        _ => Err(format!("not a number from 1 to {LIMIT}")),
    }
}

impl Args {
    pub fn run(self, program: &OsStr) -> Result<Report, Failure> {
        let request = Request {
            options: self.explain.into(),
            batch: self.batch,
            size: self.size,
            rounds: self.rounds,
            threads: self.threads,
            device: self.device,
            profile: self.profile,
            runtime: self.runtime.into(),
        };
        if self.alone {
            let json = serde_json::json!(bench::alone(&self.model, &request)?);
            return Ok(Report { text: String::new(), json, as_json: true, holds: true });
        }
        // Beside the model, where that can be written to: there is room for its like.
        let directory = Scratch::within(self.model.parent().unwrap_or(Path::new("")))
            .or_else(|_| Scratch::within(&std::env::temp_dir()))
            .map_err(abslrp::onnx::Error::io(&self.model))?;
        let spinner = spinner("running on ONNX Runtime");
        let mut report = bench(&self.model, &request, directory.path())?;
        for variant in &mut report.variants {
            variant.alone = alone(program, &variant.path, &request)?;
        }
        spinner.finish_and_clear();
        let (text, json) = (report.text(), serde_json::json!(report));
        Ok(Report { text, json, as_json: self.json, holds: true })
    }
}

/// What a model takes in a process of its own; nothing where there can be no such process.
fn alone(program: &OsStr, path: &Path, request: &Request) -> Result<Option<Alone>, Error> {
    let library = abslrp::verify::runtime::locate(&request.runtime)?;
    let mut command = std::process::Command::new(program);
    command.args(["bench", "--alone", "--batch", &request.batch.to_string()]);
    command.args(["--size", &request.size.to_string()]);
    if let Some(threads) = request.threads {
        command.args(["--threads", &threads.to_string()]);
    }
    if request.device == Device::Cuda {
        command.args(["--device", "cuda"]);
    }
    let output = command.arg("--ort-lib").arg(library).arg(path).output();
    Ok(output.ok().and_then(|output| serde_json::from_slice(&output.stdout).ok()))
}
