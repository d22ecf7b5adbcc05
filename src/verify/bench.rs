//! What an explanation costs a server: time, load time, memory, kernel by kernel.
//!
//! Machines are noisy, so variants of a model run in turn in one process, and what is said is a
//! ratio of medians. Memory is of a process that loads and runs one variant alone ([`alone`]).

use std::{
    collections::BTreeMap,
    fmt::Write,
    path::{Path, PathBuf},
    time::Instant,
};

use super::{
    Error,
    runtime::Locate,
    session::{Array, Device, Input, Runner, Settings, Source, sample},
};
use crate::{
    onnx::Model,
    options::{Level, Options},
};

/// What to measure, on what.
#[derive(Debug, Clone)]
pub struct Request {
    /// How the model is explained, next to `-O0`.
    pub options: Options,
    /// The number of samples in a batch.
    pub batch: usize,
    /// The size of other open axes.
    pub size: usize,
    /// How often each variant runs.
    pub rounds: usize,
    /// The number of threads; ONNX Runtime's choice by default.
    pub threads: Option<usize>,
    /// Where to run.
    pub device: Device,
    /// Whether kernels are told apart.
    pub profile: bool,
    /// Where ONNX Runtime is.
    pub runtime: Locate,
}

/// What was found.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Report {
    /// The source.
    pub model: PathBuf,
    /// The number of samples in a batch.
    pub batch: usize,
    /// The source, and its explanations.
    pub variants: Vec<Variant>,
}

/// A model that ran.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Variant {
    /// `plain`, or a level.
    pub name: String,
    /// The file.
    #[serde(skip)]
    pub path: PathBuf,
    /// Its size in bytes, with external data.
    pub bytes: u64,
    /// The median time of a run, in seconds.
    pub seconds: f64,
    /// The shortest.
    pub fastest: f64,
    /// What it takes alone, if that was measured.
    pub alone: Option<Alone>,
    /// Operators by the time their kernels take, the longest first, if asked for.
    pub kernels: Vec<Kernels>,
}

/// What a model takes in a process of its own.
#[derive(Debug, Clone, Copy, serde::Serialize, serde::Deserialize)]
pub struct Alone {
    /// The time until the session is ready, in seconds.
    pub load: f64,
    /// By how much the process has grown at most, in bytes; 0 where the system does not say.
    pub peak: u64,
}

/// The kernels of an operator.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Kernels {
    /// The operator.
    pub operator: String,
    /// How many there are.
    pub count: usize,
    /// The time they take in a run, in seconds.
    pub seconds: f64,
}

/// Rounds that do not count.
const WARM: usize = 2;

/// Explains a model at `-O0` and as asked, beside it in `directory`, and runs all three in turn.
pub fn bench(path: &Path, request: &Request, directory: &Path) -> Result<Report, Error> {
    let model = Model::open(path)?;
    let mut files = vec![("plain".to_string(), path.to_path_buf())];
    for level in [Level::O0, request.options.level] {
        let passes = if level == Level::O0 { None } else { request.options.passes.clone() };
        let options = Options { level, passes, ..request.options.clone() };
        let out = directory.join(format!("explained{level}.onnx"));
        if files.iter().all(|(_, known)| *known != out) {
            crate::compile(&model, &options)?.write(&out)?;
            files.push((level.to_string(), out));
        }
    }
    let runner = |path: &Path, profile: Option<&Path>| {
        let settings =
            Settings { optimise: true, device: request.device, threads: request.threads, profile };
        Runner::with(&Source::File(path), &settings, &request.runtime)
    };
    let mut runners = files.iter().map(|(_, p)| runner(p, None)).collect::<Result<Vec<_>, _>>()?;
    let feeds = runners.iter().map(|r| feeds(r, request)).collect::<Result<Vec<_>, _>>()?;
    let mut times = vec![Vec::new(); files.len()];
    for round in 0..request.rounds.max(1) + WARM {
        for ((runner, feeds), times) in runners.iter_mut().zip(&feeds).zip(&mut times) {
            let begin = Instant::now();
            runner.run(feeds)?;
            if round >= WARM {
                times.push(begin.elapsed().as_secs_f64());
            }
        }
    }
    drop(runners);
    let mut variants = Vec::new();
    for (((name, path), mut times), feeds) in files.into_iter().zip(times).zip(&feeds) {
        times.sort_by(f64::total_cmp);
        let kernels = if request.profile {
            let prefix = directory.join("profile");
            let mut runner = runner(&path, Some(&prefix))?;
            for _ in 0..=request.rounds {
                runner.run(feeds)?;
            }
            kernels(&runner.end_profiling()?)?
        } else {
            Vec::new()
        };
        let bytes = size(&path);
        let (seconds, fastest) = (times[times.len() / 2], times[0]); // One round at least.
        variants.push(Variant { name, path, bytes, seconds, fastest, alone: None, kernels });
    }
    Ok(Report { model: path.into(), batch: request.batch, variants })
}

/// Loads and runs a model, in a process that has done nothing before.
pub fn alone(path: &Path, request: &Request) -> Result<Alone, Error> {
    super::runtime::load(&request.runtime)?;
    let before = resident("VmRSS:");
    let begin = Instant::now();
    let settings = Settings {
        optimise: true,
        device: request.device,
        threads: request.threads,
        profile: None,
    };
    let mut runner = Runner::with(&Source::File(path), &settings, &request.runtime)?;
    let load = begin.elapsed().as_secs_f64();
    let feeds = feeds(&runner, request)?;
    for _ in 0..3 {
        runner.run(&feeds)?;
    }
    Ok(Alone { load, peak: resident("VmHWM:").saturating_sub(before) })
}

/// What Linux says of this process's memory, in bytes.
fn resident(key: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(key));
    let kibibytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kibibytes.unwrap_or(0) * 1024
}

/// The size of a model with the files of its external data.
fn size(path: &Path) -> u64 {
    let of = |path: &Path| std::fs::metadata(path).map_or(0, |m| m.len());
    let Ok(model) = Model::open(path) else { return of(path) };
    model.files().iter().map(|file| of(file)).sum()
}

fn feeds(runner: &Runner, request: &Request) -> Result<Vec<(String, Array)>, Error> {
    let mut feeds = Vec::new();
    for (seed, Input { name, elem, shape, .. }) in runner.inputs().into_iter().enumerate() {
        let open = |axis| if axis == 0 { request.batch } else { request.size };
        let sizes = shape.iter().enumerate();
        let shape: Vec<_> = sizes.map(|(axis, n)| n.unwrap_or(open(axis))).collect();
        feeds.push((name, sample(&shape, elem, seed as u64)?));
    }
    Ok(feeds)
}

/// Reads what ONNX Runtime wrote about its kernels. The first run of each is left out.
fn kernels(profile: &Path) -> Result<Vec<Kernels>, Error> {
    let refuse = |why: String| Error::Profile { path: profile.into(), why };
    let text = std::fs::read_to_string(profile).map_err(|e| refuse(e.to_string()))?;
    let events: serde_json::Value =
        serde_json::from_str(&text).map_err(|e| refuse(e.to_string()))?;
    let mut nodes: BTreeMap<&str, (&str, Vec<f64>)> = BTreeMap::new();
    for event in events.as_array().into_iter().flatten() {
        let name = event["name"].as_str().and_then(|name| name.strip_suffix("_kernel_time"));
        let operator = event["args"]["op_name"].as_str();
        if let (Some(name), Some(operator), Some(time)) = (name, operator, event["dur"].as_f64()) {
            nodes.entry(name).or_insert((operator, Vec::new())).1.push(time * 1e-6);
        }
    }
    let mut operators: BTreeMap<&str, (usize, f64)> = BTreeMap::new();
    for (operator, times) in nodes.into_values() {
        let mut warm = times.get(1..).unwrap_or_default().to_vec();
        warm.sort_by(f64::total_cmp);
        let entry = operators.entry(operator).or_default();
        entry.0 += 1;
        entry.1 += warm.get(warm.len() / 2).copied().unwrap_or(0.0);
    }
    let mut kernels: Vec<_> = operators
        .into_iter()
        .map(|(operator, (count, seconds))| Kernels { operator: operator.into(), count, seconds })
        .collect();
    kernels.sort_by(|a, b| b.seconds.total_cmp(&a.seconds));
    Ok(kernels)
}

impl Report {
    /// The report for people.
    pub fn text(&self) -> String {
        let mut text = format!("{}, batch {}\n", self.model.display(), self.batch);
        let Some(plain) = self.variants.first() else { return text };
        for v in &self.variants {
            let _ = write!(
                text,
                "  {:<6} {:9.2} ms  {:5.2} ×",
                v.name,
                v.seconds * 1e3,
                v.seconds / plain.seconds
            );
            if let (Some(own), Some(of_plain)) = (v.alone, plain.alone) {
                let _ =
                    write!(text, "   load {:6.2} s {:5.2} ×", own.load, own.load / of_plain.load);
                if of_plain.peak > 0 {
                    let ratio = own.peak as f64 / of_plain.peak as f64;
                    let _ =
                        write!(text, "   memory {:6.0} MB {ratio:5.2} ×", own.peak as f64 / 1e6);
                }
            }
            let growth = v.bytes as f64 / plain.bytes as f64 - 1.0;
            let _ = writeln!(text, "   file {:+.2} %", growth * 100.0);
        }
        for v in self.variants.iter().filter(|v| !v.kernels.is_empty()) {
            let total: f64 = v.kernels.iter().map(|k| k.seconds).sum();
            let count: usize = v.kernels.iter().map(|k| k.count).sum();
            let _ = writeln!(text, "{}: {count} kernels, {:.2} ms", v.name, total * 1e3);
            for k in v.kernels.iter().take(15) {
                let share = k.seconds / total * 100.0;
                let _ = writeln!(
                    text,
                    "  {:<20} {:5} {:9.2} ms {share:5.1} %",
                    k.operator,
                    k.count,
                    k.seconds * 1e3
                );
            }
        }
        text
    }
}
