//! `abslrp verify`

use std::path::{Path, PathBuf};

use abslrp::verify::{
    Request,
    elsewhere::{self, Elsewhere},
    runtime::Locate,
    session::{Device, NamedInput},
    verify,
};

use super::{Failure, Report};

/// Runs an explained model beside its source on ONNX Runtime
#[derive(clap::Args)]
pub struct Args {
    /// The explained model
    explained: PathBuf,
    /// The source [default: taken out of the explained model]
    #[arg(long, value_name = "MODEL")]
    source: Option<PathBuf>,
    #[command(flatten)]
    run: Run,
    /// Show what every unit received and gave, and where the rest went
    #[arg(long)]
    units: bool,
    /// Write the report as JSON
    #[arg(long)]
    json: bool,
}

/// How a model is run, which `compile --verify` shares.
#[derive(clap::Args)]
pub struct Run {
    /// Where to run
    #[arg(long, value_enum, default_value_t)]
    device: Device,
    /// An input [default: random numbers]; may be repeated
    #[arg(long, value_name = "NAME=FILE.npy")]
    input: Vec<NamedInput>,
    #[command(flatten)]
    runtime: Runtime,
    /// Another runtime, to run on beside ONNX Runtime
    #[arg(long = "runtime", value_enum, value_name = "RUNTIME")]
    elsewhere: Option<elsewhere::Runtime>,
    /// The folder of the npm package onnxruntime-web, for `--runtime web` [default: as installed globally]
    #[arg(long, value_name = "DIR", requires = "elsewhere")]
    ort_web: Option<PathBuf>,
}

/// Where ONNX Runtime is.
#[derive(Clone, clap::Args)]
pub struct Runtime {
    /// The ONNX Runtime library [default: `ORT_DYLIB_PATH`, beside abslrp, Python's `onnxruntime`]
    #[arg(long, value_name = "FILE")]
    ort_lib: Option<PathBuf>,
    /// Do not fetch ONNX Runtime with pip when it is found nowhere
    #[arg(long)]
    no_fetch: bool,
}

impl From<Runtime> for Locate {
    fn from(args: Runtime) -> Self {
        Self {
            library: args.ort_lib,
            fetch: (!args.no_fetch).then_some(|what| eprintln!("{what}")),
        }
    }
}

impl Run {
    /// The files that are read.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        let inputs = self.input.iter().map(|input| input.path.as_path());
        inputs.chain(self.runtime.ort_lib.as_deref())
    }

    /// The verification of `explained`.
    pub fn verify(
        self,
        explained: &Path,
        source: Option<PathBuf>,
    ) -> Result<abslrp::verify::Report, Failure> {
        let Self { device, input, runtime, elsewhere, ort_web } = self;
        let elsewhere = elsewhere.map(|runtime| Elsewhere { runtime, package: ort_web });
        let runtime = runtime.into();
        let request = Request { source, options: None, device, inputs: input, runtime, elsewhere };
        let spinner = super::spinner("running on ONNX Runtime");
        let report = verify(explained, &request);
        spinner.finish_and_clear();
        Ok(report?)
    }
}

/// What else there is to see.
const UNITS: &str = "      --units shows what every unit received and gave\n";

impl Args {
    pub fn run(self) -> Result<Report, Failure> {
        let report = self.run.verify(&self.explained, self.source)?;
        Ok(Report {
            text: report.text() + &if self.units { report.balance() } else { UNITS.into() },
            json: serde_json::json!(report),
            as_json: self.json,
            holds: report.holds,
        })
    }
}
