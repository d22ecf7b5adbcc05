//! One file per subcommand; what they share is here.

mod bench;
mod compile;
mod completions;
mod data;
mod doctor;
mod evaluate;
mod explain;
mod feed;
mod inspect;
mod labels;
mod page;
mod prediction;
mod print;
mod rules;
mod verify;

use std::{
    ffi::OsString,
    io::{IsTerminal, Write},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use abslrp::{
    Hint,
    onnx::{
        self,
        shown::{self, Said},
    },
};
use clap::{Parser, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};

/// Rewrites ONNX models so that they explain themselves.
#[derive(Parser)]
#[command(version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Compile(compile::Args),
    Verify(verify::Args),
    Inspect(inspect::Args),
    Explain(explain::Args),
    Page(page::Args),
    Evaluate(evaluate::Args),
    Print(print::Args),
    Rules(rules::Args),
    Bench(bench::Args),
    Doctor(doctor::Args),
    Completions(completions::Args),
    Man(completions::Man),
}

/// What a command has to say, and whether all it checked holds.
pub struct Report {
    /// For people.
    pub text: String,
    /// For machines.
    pub json: serde_json::Value,
    /// Whether to say it to a machine.
    pub as_json: bool,
    /// Whether every check held.
    pub holds: bool,
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The file.
    #[error(transparent)]
    Onnx(#[from] onnx::Error),
    /// The graph, or what was asked of it.
    #[error("{}: {source}", path.display())]
    Lrp {
        /// The model.
        path: PathBuf,
        /// What is wrong.
        source: Box<abslrp::Error>,
    },
    /// Running it.
    #[error(transparent)]
    Verify(#[from] abslrp::verify::Error),
    /// Evaluating rules.
    #[error("{}: {source}", path.display())]
    Evaluate {
        /// The data.
        path: PathBuf,
        /// What is wrong.
        source: Box<abslrp::evaluate::Error>,
    },
    /// Data that a model does not take, or does not answer as they have to be.
    #[error("{}: {source}", path.display())]
    Feed {
        /// The data, or the model.
        path: PathBuf,
        /// What is wrong.
        source: Box<feed::Error>,
    },
    /// The picture to explain, the data or the plot.
    #[error("{}: {what}", path.display())]
    Image {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
}

impl Failure {
    /// What could be said otherwise.
    fn hint(&self) -> Option<Hint> {
        match self {
            Self::Lrp { source, .. } => source.hint(),
            Self::Verify(error) => error.hint(),
            Self::Evaluate { source, .. } => match &**source {
                abslrp::evaluate::Error::Run(error) => error.hint(),
                abslrp::evaluate::Error::Lrp(error) => error.hint(),
                _ => None,
            },
            Self::Feed { source, .. } => match &**source {
                feed::Error::Verify(error) => error.hint(),
                _ => None,
            },
            Self::Onnx(_) | Self::Image { .. } => None,
        }
    }

    fn lrp<E: Into<abslrp::Error>>(path: &Path) -> impl FnOnce(E) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Lrp { path, source: Box::new(source.into()) }
    }
}

/// The option that helps.
pub fn advice(hint: Option<Hint>) -> Option<&'static str> {
    Some(match hint? {
        Hint::Output => "choose a tensor with --output",
        Hint::Target => "choose with --target argmax, an index, or input",
        Hint::ClassAxis => "name the axis of the classes with --class-axis",
        Hint::RelevanceOf => "`abslrp inspect` shows the layers",
        Hint::MapAt => "name a tensor of the last feature map or block with --map-at",
        Hint::OnUnsupported => {
            "rewrite the model without it, or cut relevance there with --on-unsupported stop"
        }
        Hint::Library => {
            "name an ONNX Runtime library, `libonnxruntime.so`, with --ort-lib or ORT_DYLIB_PATH"
        }
        Hint::Device => "name its library with --ort-lib, or use --device cpu",
        Hint::Inputs => "give inputs with --input NAME=FILE.npy",
        Hint::Source => "give it with --source",
        Hint::Explained => "make one with `abslrp compile`",
    })
}

/// The program `abslrp`: does what the arguments say, the first of which is the program's own file, to be run again.
/// Gives the exit code: 0 when the work is done and every check holds, 1 when not, 2 for wrong usage.
///
/// It is for a whole process: a signal that ends the process first removes what is half written.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    let arguments: Vec<_> = arguments.into_iter().collect();
    let program = arguments.first().cloned().unwrap_or_default();
    let command = match Cli::try_parse_from(arguments) {
        Ok(Cli { command }) => command,
        Err(usage) => {
            // Help is an error to clap, too. A reader that has seen enough closes the pipe.
            let _ = usage.print();
            return u8::try_from(usage.exit_code()).unwrap_or(2);
        }
    };
    undo_when_told_to_end();
    let result = match command {
        Command::Compile(args) => args.run(),
        Command::Verify(args) => args.run(),
        Command::Inspect(args) => args.run(),
        Command::Explain(args) => args.run(),
        Command::Page(args) => args.run(),
        Command::Evaluate(args) => args.run(),
        Command::Print(args) => args.run(),
        Command::Rules(args) => Ok(args.run()),
        Command::Bench(args) => args.run(&program),
        Command::Doctor(args) => Ok(args.run()),
        Command::Completions(args) => Ok(args.run()),
        Command::Man(_) => Ok(completions::Man::run()),
    };
    match result {
        Ok(report) => {
            let text = if report.as_json { json(&report.json) } else { report.text };
            // A reader that has seen enough closes the pipe: no reason to complain.
            let _ = std::io::stdout().lock().write_all(text.as_bytes());
            u8::from(!report.holds)
        }
        Err(failure) => {
            let advice = advice(failure.hint()).map_or(String::new(), |text| format!("; {text}"));
            // One line, and no command to the terminal, whoever wrote what is in it.
            let message = failure.to_string();
            let _ = writeln!(std::io::stderr(), "error: {}{advice}", Said(&message));
            1
        }
    }
}

/// Sees to it that nothing staged is left when the program is interrupted, told to end or loses its
/// terminal; it then ends by that signal, as it would have.
#[cfg(unix)]
fn undo_when_told_to_end() {
    use signal_hook::{consts, iterator::Signals, low_level::emulate_default_handler};
    // A signal that whoever started the program had it ignore, as `nohup` does, stays ignored.
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    let heeded = |signal: &i32| ignored >> (signal - 1) & 1 == 0;
    let wanted = [consts::SIGINT, consts::SIGTERM, consts::SIGHUP].into_iter().filter(heeded);
    if let Ok(mut signals) = Signals::new(wanted) {
        std::thread::spawn(move || {
            for signal in signals.forever() {
                onnx::transaction::abandon();
                let _ = emulate_default_handler(signal);
            }
        });
    }
}

#[cfg(not(unix))]
fn undo_when_told_to_end() {}

/// JSON in which nothing is a command to a terminal either.
fn json(value: &serde_json::Value) -> String {
    let text = format!("{value:#}\n");
    let plain = |c: char| c == '\n' || !shown::commands(c);
    if text.chars().all(plain) {
        return text;
    }
    let escaped = |c: char| if plain(c) { c.to_string() } else { format!("\\u{:04x}", c as u32) };
    text.chars().map(escaped).collect()
}

/// A progress bar in bytes for work over a second, on a terminal only.
pub fn progress(what: &'static str) -> impl Fn(u64, u64) {
    progress_in(what, "{msg} {bar:30} {bytes}/{total_bytes}")
}

/// A progress bar that says how much is done in its own way.
pub fn progress_in(what: &'static str, template: &str) -> impl Fn(u64, u64) {
    let begin = Instant::now();
    let bar = ProgressBar::hidden();
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.set_message(what);
    move |done, total| {
        let visible = begin.elapsed() > Duration::from_secs(1) && std::io::stderr().is_terminal();
        if visible && bar.is_hidden() && done < total {
            bar.set_draw_target(indicatif::ProgressDrawTarget::stderr());
        }
        bar.set_length(total);
        bar.set_position(done);
        if done == total {
            bar.finish_and_clear();
        }
    }
}

/// A sign of life for work of unknown length, on a terminal only.
pub fn spinner(what: &'static str) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let spinner = ProgressBar::new_spinner().with_message(what);
    spinner.enable_steady_tick(Duration::from_secs(1));
    spinner
}

/// The options of an explanation, which `compile` and `inspect` share.
#[derive(clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch on the command line")]
pub struct Explain {
    /// The rule, with its options: NAME or NAME:key=value,key=value
    #[arg(long, default_value = "abslrp")]
    rule: abslrp::rules::Choice,
    /// Rules for different layers, in place of one: a preset with its options (see `abslrp rules`)
    #[arg(long, value_name = "NAME", conflicts_with = "rule")]
    composite: Option<abslrp::rules::Composite>,
    /// Rules for different layers, in place of one: a TOML file
    #[arg(long, value_name = "FILE", conflicts_with_all = ["rule", "composite"], value_parser = config)]
    config: Option<Config>,
    /// What is taken for one layer: what a framework does, or every node by itself
    #[arg(long, value_enum, default_value_t)]
    canonize: abslrp::options::Canonize,
    /// Take this input for a constant, which may choose a branch: NAME=VALUE, or values with commas between; may be
    /// repeated. Maps are right where the model is fed that
    #[arg(long, value_name = "NAME=VALUE", allow_hyphen_values = true)]
    set: Vec<abslrp::options::Setting>,
    /// The tensor to explain [default: the first graph output, before a final softmax or sigmoid]
    #[arg(long, value_name = "NAME")]
    output: Option<String>,
    /// Explain an output that a softmax or sigmoid at the very end makes itself, not what was before that
    #[arg(long)]
    after_softmax: bool,
    /// The part of the explained tensor that counts, as numpy writes it, and targets are chosen in: ':,4:,:'
    #[arg(long, value_name = "SLICES", allow_hyphen_values = true)]
    select: Option<abslrp::options::Select>,
    /// The classes to explain: all, argmax, max (the largest element per sample, whatever its place), indices (a
    /// map each, side by side on axis 1), or input: adds a graph input `target` of one class per sample, or with
    /// input:K of K, a map each
    #[arg(long, default_value = "all")]
    target: abslrp::options::Target,
    /// The axis that classes lie along [default: 1, the last where there are fewer]
    #[arg(long, value_name = "AXIS", allow_negative_numbers = true)]
    class_axis: Option<i64>,
    /// The relevance that the target starts with
    #[arg(long, value_enum, default_value_t)]
    init: abslrp::options::Init,
    /// Subtract what the other classes get, starting from as much in all as the target
    #[arg(long)]
    contrastive: bool,
    /// What maps are divided by, per sample
    #[arg(long, value_enum, default_value_t)]
    normalize: abslrp::options::Normalize,
    /// What maps are summed over
    #[arg(long, value_enum, default_value_t)]
    reduce: abslrp::options::Reduce,
    /// Also emit the relevance of this intermediate tensor; may be repeated
    #[arg(long, value_name = "NAME")]
    relevance_of: Vec<String>,
    /// Stop at this tensor, or at the last one whose map has at least SIZE rows and columns: a coarse map, summed
    /// over channels and stretched to the input, at a fraction of the price
    #[arg(long, value_name = "NAME|SIZE")]
    map_at: Option<abslrp::options::MapAt>,
    /// Add a graph input `explain` (a bool): false costs nothing, and gives empty relevance
    #[arg(long)]
    on_demand: bool,
    /// What to do where an operator has no rule
    #[arg(long, value_enum, default_value_t)]
    on_unsupported: abslrp::options::OnUnsupported,
    /// The optimisation level
    #[arg(short = 'O', value_enum, default_value_t, value_name = "LEVEL")]
    level: abslrp::options::Level,
    /// The optimisation passes, in place of the level's: names with commas between; or those of the
    /// level without some: names with a - before each (see `abslrp inspect` for the names)
    #[arg(long, value_name = "NAMES", allow_hyphen_values = true, value_parser = selection)]
    passes: Option<abslrp::options::Selection>,
    /// Write twins of weights as initializers, for runtimes that do not fold constants: the file
    /// grows by up to twice the size of the weights
    #[arg(long)]
    bake_twins: bool,
}

/// Reads a choice of passes, all of which there have to be.
fn selection(text: &str) -> Result<abslrp::options::Selection, String> {
    let selection: abslrp::options::Selection = text.parse().map_err(|e| format!("{e}"))?;
    let options = abslrp::Options { passes: Some(selection.clone()), ..Default::default() };
    abslrp::passes(&options).map_err(|e| e.to_string())?;
    Ok(selection)
}

impl Explain {
    /// The files that are read.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.config.iter().map(|config| config.path.as_path())
    }
}

/// A composite from a file.
#[derive(Clone)]
struct Config {
    path: PathBuf,
    composite: abslrp::rules::Composite,
}

/// Reads a composite from a TOML file.
fn config(path: &str) -> Result<Config, String> {
    /// Longer than anybody would write one.
    const LONGEST: u64 = 1 << 20;
    let bytes = onnx::file::read(path.as_ref(), LONGEST).map_err(|e| format!("{path}: {e}"))?;
    let text = String::from_utf8(bytes).map_err(|e| format!("{path}: {e}"))?;
    let composite: abslrp::rules::Composite =
        toml::from_str(&text).map_err(|e| format!("{path}: {e}"))?;
    // By its name alone, so that the same file gives the same bytes wherever it lies.
    let name = Path::new(path).file_name().unwrap_or_default().to_string_lossy().into();
    let composite = abslrp::rules::Composite { name, ..composite };
    Ok(Config { path: path.into(), composite })
}

impl From<Explain> for abslrp::Options {
    fn from(args: Explain) -> Self {
        Self {
            rule: args.rule,
            composite: args.composite.or(args.config.map(|config| config.composite)),
            canonize: args.canonize,
            set: args.set,
            output: args.output,
            after_softmax: args.after_softmax,
            select: args.select,
            target: args.target,
            class_axis: args.class_axis,
            init: args.init,
            contrastive: args.contrastive,
            normalize: args.normalize,
            reduce: args.reduce,
            relevance_of: args.relevance_of,
            map_at: args.map_at,
            on_demand: args.on_demand,
            on_unsupported: args.on_unsupported,
            level: args.level,
            passes: args.passes,
            bake_twins: args.bake_twins,
        }
    }
}
