//! Changed models: each is explained or refused with a reason; none panics, aborts, hangs or takes
//! memory without end, and ONNX Runtime runs what comes of those that it runs, with the same results.
//!
//! A case is made from its number alone, so that it can be made again:
//!
//! ```sh
//! cargo run --release -p abslrp-fuzz -- --cases 100000            # as .ci/run does
//! cargo run --release -p abslrp-fuzz -- --cases 10000000 --from 1000000
//! cargo run --release -p abslrp-fuzz -- --only 4711               # again, in a debugger for instance
//! ```
//!
//! Models that once failed lie in `fuzz/found` and are tried first, with every rule and level.
//! Cases run in processes of their own, of limited memory and each watched, because a stack overflow or
//! a failed allocation ends the process that it happens in.

mod case;
mod mutate;

use std::{
    env, fs,
    io::{BufRead, BufReader, Write, stdout},
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::Duration,
};

use case::{Case, Corpus, Outcome, Stage, models_in};
use clap::Parser;

#[derive(Debug, Clone, Parser)]
#[command(about)]
struct Arguments {
    /// How many cases are tried
    #[arg(long, default_value_t = 10_000)]
    cases: u64,
    /// The number of the first one
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// The number of the only one, which runs in this process
    #[arg(long, conflicts_with_all = ["cases", "from"])]
    only: Option<u64>,
    /// One of how many explained models is run on ONNX Runtime
    #[arg(long, default_value_t = 20)]
    sample: u64,
    /// How many processes work at once
    #[arg(long, default_value_t = thread::available_parallelism().map_or(1, |n| n.get() as u64))]
    jobs: u64,
    /// The seconds after which a case hangs
    #[arg(long, default_value_t = 60)]
    limit: u64,
    /// Where the models of failed cases are written to
    #[arg(long, default_value = "target/fuzz")]
    failed: PathBuf,
    /// Try cases and tell each step, for the process that watches
    #[arg(long, hide = true)]
    worker: bool,
}

/// The memory that a case may take, with all that ONNX Runtime maps.
const MEMORY: u64 = 8 << 30;

/// What became of many cases.
#[derive(Default)]
struct Tally {
    explained: u64,
    refused: u64,
    failures: Vec<(u64, String)>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = match (arguments.only, arguments.worker) {
        (Some(seed), _) => only(&arguments, seed),
        (None, true) => work(&arguments),
        (None, false) => watch(&arguments),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here)
}

/// One case, in this process.
fn only(arguments: &Arguments, seed: u64) -> Result<bool, String> {
    let case = Case::new(&Corpus::new(root())?, seed, 1)?;
    println!("{}\nwith {:?}", case.what, case.options);
    println!("the model: {}", save(arguments, seed, &case)?.display());
    let outcome = case.run(|stage| println!("{stage:?}"));
    match &outcome {
        Outcome::Refused => println!("refused"),
        Outcome::Explained => println!("explained"),
        Outcome::Failed(why) => println!("failed: {why}"),
    }
    Ok(!matches!(outcome, Outcome::Failed(_)))
}

fn save(arguments: &Arguments, seed: u64, case: &Case) -> Result<PathBuf, String> {
    let path = arguments.failed.join(format!("{seed}.onnx"));
    fs::create_dir_all(&arguments.failed)
        .and_then(|()| fs::write(&path, &case.model))
        .map_err(|e| format!("{}: {e}", path.display()))?;
    Ok(path)
}

/// Tries cases, and tells each step on a line: the case, and how far it is or what became of it.
fn work(arguments: &Arguments) -> Result<bool, String> {
    case::keep_panics();
    limit_memory();
    let corpus = Corpus::new(root())?;
    let mut out = stdout().lock();
    let mut tell = |seed: u64, what: &str| {
        let line = what.escape_debug().to_string();
        writeln!(out, "{seed} {line}").and_then(|()| out.flush()).map_err(|e| e.to_string())
    };
    for seed in arguments.from..arguments.from + arguments.cases {
        let case = Case::new(&corpus, seed, arguments.sample)?;
        // Who watches is gone where nothing can be told, and the next line fails too.
        let outcome = case.run(|stage| drop(tell(seed, &format!("{stage:?}"))));
        match outcome {
            Outcome::Refused => tell(seed, "refused")?,
            Outcome::Explained => tell(seed, "explained")?,
            Outcome::Failed(why) => tell(seed, &format!("failed: {}: {why}", case.what))?,
        }
    }
    Ok(true)
}

#[cfg(unix)]
fn limit_memory() {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let limit = Rlimit { current: Some(MEMORY), maximum: Some(MEMORY) };
    // A system that refuses has limits of its own.
    let _ = setrlimit(Resource::As, limit);
}

#[cfg(not(unix))]
fn limit_memory() {}

/// Tries what was once found, then shares the cases out to processes.
fn watch(arguments: &Arguments) -> Result<bool, String> {
    case::keep_panics();
    let mut failures = Vec::new();
    let found = models_in(&root().join("fuzz/found"))?;
    for path in &found {
        for case in Case::of_file(path)? {
            if let Outcome::Failed(why) = case.run(|_| {}) {
                failures.push(format!("{}: {why}", case.what));
            }
        }
    }
    println!("{} models that once failed: {} failures", found.len(), failures.len());
    let jobs = arguments.jobs.clamp(1, arguments.cases.max(1));
    let share = arguments.cases.div_ceil(jobs);
    let workers: Vec<_> = (0..jobs)
        .map(|job| {
            let mut of_job = arguments.clone();
            of_job.from = arguments.from + job * share;
            of_job.cases =
                share.min((arguments.from + arguments.cases).saturating_sub(of_job.from));
            thread::spawn(move || watch_one(&of_job))
        })
        .collect();
    let mut tally = Tally::default();
    for worker in workers {
        let one = worker.join().map_err(|_| "a thread that watches panicked".to_string())??;
        tally.explained += one.explained;
        tally.refused += one.refused;
        tally.failures.extend(one.failures);
    }
    let corpus = Corpus::new(root())?;
    for (seed, why) in &tally.failures {
        let saved = save(arguments, *seed, &Case::new(&corpus, *seed, 1)?)?;
        failures.push(format!("--only {seed}: {why}\n    {}", saved.display()));
    }
    for failure in &failures {
        println!("{failure}");
    }
    let Tally { explained, refused, .. } = tally;
    println!("{explained} explained, {refused} refused, {} failed", failures.len());
    // What is always refused, or never, would try nothing.
    let tenth = arguments.cases / 10;
    let tries_both = arguments.cases < 100 || (explained > tenth && refused > tenth);
    if !tries_both {
        println!("nearly all have the same outcome: the changes try nothing");
    }
    Ok(failures.is_empty() && tries_both)
}

/// Runs a process that tries cases, and another after each case that ends it.
fn watch_one(arguments: &Arguments) -> Result<Tally, String> {
    let mut tally = Tally::default();
    let end = arguments.from + arguments.cases;
    let mut next = arguments.from;
    while next < end {
        let mut worker = Command::new(env::current_exe().map_err(|e| e.to_string())?)
            .args(["--worker", "--from", &next.to_string(), "--cases", &(end - next).to_string()])
            .args(["--sample", &arguments.sample.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|e| e.to_string())?;
        let (told, lines) = mpsc::channel();
        if let Some(out) = worker.stdout.take() {
            thread::spawn(move || {
                for line in BufReader::new(out).lines().map_while(Result::ok) {
                    if told.send(line).is_err() {
                        break;
                    }
                }
            });
        }
        let mut stage = String::new();
        let ended = loop {
            match lines.recv_timeout(Duration::from_secs(arguments.limit)) {
                Ok(line) => {
                    let (seed, what) = line.split_once(' ').unwrap_or_default();
                    next = seed.parse().unwrap_or(next);
                    stage = what.to_string();
                    match what {
                        "refused" => tally.refused += 1,
                        "explained" => tally.explained += 1,
                        _ if what.starts_with("failed: ") => {
                            tally.failures.push((next, what.to_string()));
                        }
                        _ => continue,
                    }
                    next += 1;
                }
                Err(RecvTimeoutError::Timeout) => break "hangs",
                Err(RecvTimeoutError::Disconnected) => break "ends the process",
            }
        };
        let _ = worker.kill();
        let status = worker.wait().map_err(|e| e.to_string())?;
        if next < end {
            // ONNX Runtime may die of a source: that is tried because files from anywhere are explained.
            if stage != format!("{:?}", Stage::RunningSource) {
                tally.failures.push((next, format!("{ended} while {stage} ({status})")));
            }
            next += 1;
        }
    }
    Ok(tally)
}
