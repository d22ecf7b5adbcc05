//! `abslrp doctor`

use std::{fmt::Write, path::PathBuf};

use abslrp::verify::{
    elsewhere::{self, Elsewhere},
    runtime::{self, Locate},
};
use clap::ValueEnum;
use serde_json::json;

use super::{Report, advice};

/// Says which runtimes there are to run models on, and how to get those that are missing
#[derive(clap::Args)]
pub struct Args {
    /// The ONNX Runtime library [default: that which is found, as `abslrp verify` finds it]
    #[arg(long, value_name = "FILE")]
    ort_lib: Option<PathBuf>,
    /// The folder of the npm package onnxruntime-web [default: the one that is installed globally]
    #[arg(long, value_name = "DIR")]
    ort_web: Option<PathBuf>,
    /// Write what was found as JSON
    #[arg(long)]
    json: bool,
}

impl Args {
    pub fn run(self) -> Report {
        let mut text = format!("abslrp {}\n", env!("CARGO_PKG_VERSION"));
        // Nothing is fetched: this says what is there.
        let found = runtime::look(&Locate { library: self.ort_lib, fetch: None });
        // Without ONNX Runtime nothing can be verified, explained or evaluated; the others are beside it.
        let holds = found.is_ok();
        let onnxruntime = match &found {
            Ok(found) => {
                let path = found.path.display();
                let devices = found.devices.join(", ");
                let _ = writeln!(text, "ok    ONNX Runtime, for all that runs models: {path}");
                let _ = writeln!(text, "      {}", found.build);
                let _ = writeln!(text, "      devices: {devices}");
                json!({ "path": found.path, "build": found.build, "devices": found.devices })
            }
            Err(error) => {
                let help = advice(error.hint()).map_or(String::new(), |help| format!("; {help}"));
                let _ =
                    writeln!(text, "none  ONNX Runtime, for all that runs models: {error}{help}");
                json!({ "error": error.to_string() })
            }
        };
        let mut others = Vec::new();
        for &other in elsewhere::Runtime::value_variants() {
            let name = other.to_possible_value().map_or(String::new(), |v| v.get_name().into());
            let how = Elsewhere { runtime: other, package: self.ort_web.clone() };
            let (word, found, entry) = match elsewhere::version(&how) {
                Ok(version) => ("ok  ", version.clone(), json!({ "version": version })),
                Err(error) => ("none", error.to_string(), json!({ "error": error.to_string() })),
            };
            let _ = writeln!(text, "{word}  {other}, for `verify --runtime {name}`: {found}");
            others.push((name, entry));
        }
        let others: serde_json::Map<_, _> = others.into_iter().collect();
        let json = json!({ "version": env!("CARGO_PKG_VERSION"), "onnxruntime": onnxruntime, "others": others });
        Report { text, json, as_json: self.json, holds }
    }
}
