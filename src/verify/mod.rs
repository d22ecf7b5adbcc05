//! The proof: the explained model beside its source, on ONNX Runtime.

pub mod balance;
pub mod bench;
pub mod runtime;
pub mod session;

use std::{
    fmt::Write,
    path::{Path, PathBuf},
};

use balance::{Books, Entry};
use prost::Message;
use runtime::Locate;
use session::{Array, Device, Input, NamedInput, Runner, Source, sample};

use crate::{
    Hint, ParseError,
    back::{self, Record},
    onnx::{self, Addition, Model, schema::ModelProto, shown::Shown},
    options::{Level, Options},
};

/// How far original outputs may move when ONNX Runtime's graph optimisations are on, relative to
/// the largest: an added consumer can break a fusion. With float16 it is 1e-3.
const FUSION: f64 = 1e-4;
/// How far the relevance of two levels may be apart, relative L1, beyond what rounding explains.
const LEVELS: f64 = 1e-2;
/// How far apart two levels may be, as a multiple of how far rounding the inputs moves the map.
const ROUNDING: f64 = 30.0;

/// What can keep a model from being verified.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No ONNX Runtime.
    #[error("ONNX Runtime was not found ({why}); `python3 -m pip install onnxruntime` installs it")]
    NoRuntime {
        /// Why it could not be had.
        why: String,
    },
    /// The named library is not there.
    #[error("{}: no such library", path.display())]
    NoLibrary {
        /// The library.
        path: PathBuf,
    },
    /// Somebody else could have written the library.
    #[error(
        "{}: not to be trusted, because {why}; take a copy of your own, or put that right with chown and chmod go-w",
        path.display()
    )]
    Untrusted {
        /// The library, or the cache.
        path: PathBuf,
        /// Who.
        why: String,
    },
    /// The library does not load.
    #[error("{}: not a usable ONNX Runtime 1.20 or newer: {why}", path.display())]
    Library {
        /// The library.
        path: PathBuf,
        /// The loader's message.
        why: String,
    },
    /// The CUDA provider does not start.
    #[error(
        "ONNX Runtime cannot use CUDA here: {why}; that takes `onnxruntime-gpu` and a matching CUDA"
    )]
    Cuda {
        /// Its message.
        why: String,
    },
    /// ONNX Runtime refuses the model.
    #[error("ONNX Runtime refuses the model: {why}")]
    Session {
        /// Its message.
        why: String,
    },
    /// ONNX Runtime cannot run the model on these inputs.
    #[error("ONNX Runtime cannot run the model on these inputs: {why}")]
    Run {
        /// Its message.
        why: String,
    },
    /// An input has a type that no numbers can be given for.
    #[error("an input has elements of type {elem}, for which there is no sample")]
    InputType {
        /// The type.
        elem: String,
    },
    /// An input that is too large to be made up.
    #[error("an input of shape {shape:?} is too large for random numbers")]
    Sample {
        /// Its shape.
        shape: Vec<usize>,
    },
    /// An input that the model does not have.
    #[error("the model has no input '{}'; it has {}", Shown(name), Shown(known))]
    NoInput {
        /// The name.
        name: String,
        /// Those it has.
        known: String,
    },
    /// A `.npy` file cannot be read or written.
    #[error("{}: {why}", path.display())]
    Npy {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// ONNX Runtime's profile cannot be read.
    #[error("{}: no profile of ONNX Runtime: {why}", path.display())]
    Profile {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// The model says of itself that it is not explained.
    #[error("{}: not a model that abslrp has explained", path.display())]
    NotExplained {
        /// The model.
        path: PathBuf,
    },
    /// What its record says of how it is explained means nothing here.
    #[error("{}: how it is explained cannot be told from its record: {why}", path.display())]
    Options {
        /// The model.
        path: PathBuf,
        /// Why not.
        why: ParseError,
    },
    /// The source is not inside.
    #[error("{}: its source cannot be told from what was added: it was changed since", path.display())]
    NoSource {
        /// The model.
        path: PathBuf,
    },
    /// The file.
    #[error(transparent)]
    Onnx(#[from] onnx::Error),
    /// The source cannot be explained again at the other level.
    #[error(transparent)]
    Lrp(#[from] crate::Error),
}

impl Error {
    /// What could be said otherwise.
    pub fn hint(&self) -> Option<Hint> {
        Some(match self {
            Self::NoRuntime { .. } | Self::NoLibrary { .. } | Self::Untrusted { .. } => {
                Hint::Library
            }
            Self::Cuda { .. } => Hint::Device,
            Self::Run { .. } | Self::InputType { .. } | Self::Sample { .. } => Hint::Inputs,
            Self::NotExplained { .. } => Hint::Explained,
            Self::NoSource { .. } => Hint::Source,
            Self::Lrp(error) => return error.hint(),
            _ => return None,
        })
    }
}

/// What to verify, on what.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// The source; taken out of the explained model by default.
    pub source: Option<PathBuf>,
    /// How it was explained, as the model's record says by default. A record has names for the rules of
    /// this crate alone.
    pub options: Option<Options>,
    /// Where to run.
    pub device: Device,
    /// Inputs; random numbers by default.
    pub inputs: Vec<NamedInput>,
    /// Where ONNX Runtime is.
    pub runtime: Locate,
}

/// What was found.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Report {
    /// The explained model.
    pub model: PathBuf,
    /// Where it ran.
    pub device: Device,
    /// The inputs it ran on: name, shape, and whether they were given.
    pub inputs: Vec<(String, Vec<usize>, bool)>,
    /// The original outputs.
    pub outputs: Vec<OutputReport>,
    /// The added outputs.
    pub relevance: Vec<RelevanceReport>,
    /// What each unit received and gave, from the explained tensor to the inputs; of the first map,
    /// where there are several.
    pub units: Vec<Entry>,
    /// Whether every promise holds.
    pub holds: bool,
}

/// An original output.
#[derive(Debug, Clone, serde::Serialize)]
pub struct OutputReport {
    /// Its name.
    pub name: String,
    /// Whether it has the source's bits with graph optimisations off.
    pub identical: bool,
    /// The largest difference with graph optimisations on, relative to the largest value.
    pub optimised_difference: f64,
    /// Whether that is as promised.
    pub holds: bool,
}

/// An added output.
#[derive(Debug, Clone, serde::Serialize)]
pub struct RelevanceReport {
    /// Its name.
    pub name: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// Whether all of it is finite, with graph optimisations off and on.
    pub finite: bool,
    /// Σ R
    pub sum: f64,
    /// Σ |R|
    pub magnitude: f64,
    /// The level it is compared with.
    pub other_level: String,
    /// The relative L1 distance to that level's.
    pub other_level_distance: f64,
    /// The relative L1 change when inputs change by a rounding of float32. Far above 1e-6 the rule
    /// is ill-conditioned on these inputs, as where it divides by values that vanish.
    pub conditioning: f64,
    /// Whether that is as promised.
    pub holds: bool,
}

/// Verifies an explained model.
pub fn verify(path: &Path, request: &Request) -> Result<Report, Error> {
    let model = Model::open(path)?;
    let record = Record::read(&model).ok_or_else(|| Error::NotExplained { path: path.into() })?;
    let explained = match &request.options {
        Some(options) => options.clone(),
        None => record.options().map_err(|why| Error::Options { path: path.into(), why })?,
    };
    // What was added is compared with what is added now to the source inside, whose weights lie where
    // those of the explained model do.
    let source = match (back::source_of(&model), &request.source) {
        (Some(inside), _) => Model::new(inside, path)?,
        (None, Some(source)) => Model::open(source)?,
        (None, None) => return Err(Error::NoSource { path: path.into() }),
    };
    let bench = Bench { request, directory: source.external().directory() };
    let originals: Vec<_> = source.graph().output.iter().map(|o| o.name().to_string()).collect();

    let mut runner = bench.runner(&Source::File(path), false)?;
    let feeds = bench.feeds(&runner)?;
    let plain = runner.run(&feeds)?;
    let rounded = runner.run(&rounded(&feeds))?;
    drop(runner);
    let optimised = bench.run(&Source::File(path), true, &feeds)?;
    let (source_plain, source_optimised) = {
        let bytes = bytes(source.proto(), &Addition::default());
        let source = match &request.source {
            Some(file) => Source::File(file),
            None => Source::Memory(&bytes, bench.directory),
        };
        (bench.run(&source, false, &feeds)?, bench.run(&source, true, &feeds)?)
    };
    let level = if explained.level == Level::O0 { Level::O2 } else { Level::O0 };
    let options = Options { level, passes: None, bake_twins: false, ..explained.clone() };
    let other = crate::compile(&source, &options)?;
    let other = other.encode().concat();
    let other = bench.run(&Source::Memory(&other, bench.directory), false, &feeds)?;
    let units = bench.balance(&source, &explained, &feeds)?;
    // Relevance that has grown is a difference of large numbers somewhere, and rounded accordingly.
    let largest =
        units.iter().map(|u| u.received_magnitude.max(u.given_magnitude)).fold(0.0, f64::max);
    let growth = units.first().map_or(1.0, |first| largest / first.received_magnitude);

    let get = |arrays: &[(String, Array)], name: &str| {
        arrays.iter().find(|(known, _)| known == name).map(|(_, array)| array.clone())
    };
    let mut outputs = Vec::new();
    for name in &originals {
        let of = |arrays| get(arrays, name);
        let (Some(a), Some(b), Some(c), Some(d)) =
            (of(&plain), of(&source_plain), of(&optimised), of(&source_optimised))
        else {
            continue; // No tensor of numbers.
        };
        let identical = a.is_identical(&b);
        let optimised_difference = difference(&c, &d);
        let half = matches!(a, Array::Float16(_) | Array::Bfloat16(_));
        let bound = if half { 1e-3 } else { FUSION };
        // Devices other than the CPU may choose another algorithm for the same node.
        let same = identical || request.device == Device::Cuda && difference(&a, &b) <= bound;
        let holds = same && optimised_difference <= bound;
        outputs.push(OutputReport { name: name.clone(), identical, optimised_difference, holds });
    }
    let mut relevance = Vec::new();
    for (name, array) in plain.iter().filter(|(name, _)| !originals.contains(name)) {
        let numbers = array.numbers();
        let all_finite = |array: &Array| array.numbers().iter().all(|v| v.is_finite());
        let finite = all_finite(array) && get(&optimised, name).is_some_and(|a| all_finite(&a));
        let magnitude = numbers.iter().map(|v| v.abs()).sum();
        let distance = |other: Option<Array>| {
            other.map_or(f64::NAN, |other| {
                let apart: f64 = (&numbers - &other.numbers()).iter().map(|v| v.abs()).sum();
                if apart > 0.0 { apart / magnitude } else { 0.0 }
            })
        };
        let other_level_distance = distance(get(&other, name));
        let conditioning = distance(get(&rounded, name));
        relevance.push(RelevanceReport {
            name: name.clone(),
            shape: array.shape().to_vec(),
            finite,
            sum: numbers.sum(),
            magnitude,
            other_level: level.to_string(),
            other_level_distance,
            conditioning,
            holds: finite
                && other_level_distance
                    <= LEVELS.max(ROUNDING * conditioning).max(f64::from(f32::EPSILON) * growth),
        });
    }
    let holds = outputs.iter().all(|o| o.holds) && relevance.iter().all(|r| r.holds);
    let given = |name: &String| request.inputs.iter().any(|given| given.name == *name);
    Ok(Report {
        model: path.into(),
        device: request.device,
        inputs: feeds.iter().map(|(n, a)| (n.clone(), a.shape().to_vec(), given(n))).collect(),
        outputs,
        relevance,
        units,
        holds,
    })
}

/// The inputs with every other element moved by a rounding of float32.
fn rounded(feeds: &[(String, Array)]) -> Vec<(String, Array)> {
    let moved = |array: &Array| match array {
        Array::Float32(a) => {
            let mut a = a.clone();
            a.iter_mut().step_by(2).for_each(|v| *v *= 1.0 + f32::EPSILON);
            Array::Float32(a)
        }
        Array::Float64(a) => {
            let mut a = a.clone();
            a.iter_mut().step_by(2).for_each(|v| *v *= 1.0 + f64::from(f32::EPSILON));
            Array::Float64(a)
        }
        other => other.clone(),
    };
    feeds.iter().map(|(name, array)| (name.clone(), moved(array))).collect()
}

fn bytes(model: &ModelProto, addition: &Addition) -> Vec<u8> {
    if addition.nodes.is_empty() {
        return model.encode_to_vec();
    }
    onnx::encode(model, addition).concat()
}

/// The largest difference, relative to the largest finite value; equal where both are not finite.
fn difference(a: &Array, b: &Array) -> f64 {
    let (a, b) = (a.numbers(), b.numbers());
    if a.shape() != b.shape() {
        return f64::INFINITY;
    }
    let scale = b.iter().filter(|v| v.is_finite()).fold(0.0f64, |m, v| m.max(v.abs()));
    let apart = a.iter().zip(&b).fold(0.0f64, |m, (&a, &b)| {
        let same = a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan());
        let d = (a - b).abs();
        if same { m } else { m.max(if d.is_nan() { f64::INFINITY } else { d }) }
    });
    if apart > 0.0 { apart / scale.max(f64::MIN_POSITIVE) } else { 0.0 }
}

struct Bench<'r> {
    request: &'r Request,
    directory: &'r Path,
}

impl Bench<'_> {
    fn runner(&self, source: &Source<'_>, optimise: bool) -> Result<Runner, Error> {
        Runner::new(source, optimise, self.request.device, &self.request.runtime)
    }

    fn run(
        &self,
        source: &Source<'_>,
        optimise: bool,
        feeds: &[(String, Array)],
    ) -> Result<Vec<(String, Array)>, Error> {
        self.runner(source, optimise)?.run(feeds)
    }

    /// What each unit received and gave.
    fn balance(
        &self,
        source: &Model,
        options: &Options,
        feeds: &[(String, Array)],
    ) -> Result<Vec<Entry>, Error> {
        let books = Books::open(source, options)?;
        let bytes = bytes(source.proto(), &books.addition);
        let mut runner = self.runner(&Source::Memory(&bytes, self.directory), false)?;
        let found = runner.run(feeds)?.into_iter().find(|(name, _)| name == balance::OUTPUT);
        let numbers: Vec<_> = found.map_or(Vec::new(), |(_, a)| a.numbers().into_iter().collect());
        Ok(books.close(&numbers))
    }

    /// The inputs: those given, and samples for the rest.
    fn feeds(&self, runner: &Runner) -> Result<Vec<(String, Array)>, Error> {
        let inputs = runner.inputs();
        let given = &self.request.inputs;
        if let Some(stray) = given.iter().find(|g| inputs.iter().all(|i| i.name != g.name)) {
            let known: Vec<_> = inputs.iter().map(|i| i.name.clone()).collect();
            return Err(Error::NoInput { name: stray.name.clone(), known: known.join(", ") });
        }
        // What is given settles sizes that other inputs share.
        let mut sizes: Vec<(String, usize)> = Vec::new();
        let mut arrays = Vec::new();
        for Input { name, elem, symbols, .. } in &inputs {
            if let Some(given) = given.iter().find(|given| given.name == *name) {
                let array = Array::of_numbers(&Array::read(&given.path)?, *elem)?;
                let named = symbols.iter().cloned().zip(array.shape().iter().copied());
                sizes.extend(named.filter(|(symbol, _)| !symbol.is_empty()));
                arrays.push((name.clone(), array));
            }
        }
        let missing = inputs.iter().filter(|i| given.iter().all(|g| g.name != i.name));
        for (seed, Input { name, elem, shape, symbols }) in missing.enumerate() {
            let size = |(axis, n): (usize, &Option<usize>)| {
                let symbol = symbols.get(axis).map_or("", String::as_str);
                let shared = sizes.iter().find(|(known, _)| known == symbol && !symbol.is_empty());
                // Two samples, and for other open sizes something that pools can halve.
                n.unwrap_or(shared.map_or([2, 32][usize::from(axis > 0)], |s| s.1))
            };
            let shape: Vec<_> = shape.iter().enumerate().map(size).collect();
            arrays.push((name.clone(), sample(&shape, *elem, seed as u64)?));
        }
        Ok(arrays)
    }
}

impl Report {
    /// The report for people.
    pub fn text(&self) -> String {
        let mut out = String::new();
        let mark = |holds: bool| if holds { "ok  " } else { "FAIL" };
        let shape =
            |shape: &[usize]| shape.iter().map(usize::to_string).collect::<Vec<_>>().join("×");
        let device = if self.device == Device::Cuda { "CUDA" } else { "CPU" };
        let _ = writeln!(out, "{} on ONNX Runtime ({device})", self.model.display());
        for (name, dims, given) in &self.inputs {
            let origin = if *given { "given" } else { "random" };
            let _ = writeln!(out, "      input {} {}, {origin}", Shown(name), shape(dims));
        }
        for output in &self.outputs {
            let bits = if output.identical { "bit-identical" } else { "NOT bit-identical" };
            let _ = writeln!(
                out,
                "{}  output {}: {bits} to the source's; {:.1e} apart with graph optimisations",
                mark(output.holds),
                Shown(&output.name),
                output.optimised_difference
            );
        }
        for r in &self.relevance {
            let finite = if r.finite { "finite" } else { "NOT finite" };
            let _ = writeln!(
                out,
                "{}  {} {}: {finite}, Σ {:.4e}, Σ|R| {:.4e}; {:.1e} from {}",
                mark(r.holds),
                Shown(&r.name),
                shape(&r.shape),
                r.sum,
                r.magnitude,
                r.other_level_distance,
                r.other_level
            );
            if r.conditioning > 1e-3 {
                let _ = writeln!(
                    out,
                    "      ill-conditioned on these inputs: a rounding of the inputs changes it by \
                     {:.1e}; under the rule abslrp no unit gives on more than it gets",
                    r.conditioning
                );
            }
            if r.finite && !r.holds {
                let _ = writeln!(
                    out,
                    "      rounding does not explain how far the levels are apart: they agree where values \
                     are far above ε, and on these inputs some may not be (the balance shows what \
                     stabilisers keep); scale the inputs, or compile at -O0 for the formula to the letter"
                );
            }
        }
        let mut worst: Vec<_> = self.units.iter().filter(|u| u.amplification() > 2.0).collect();
        worst.sort_by(|a, b| b.amplification().total_cmp(&a.amplification()));
        for unit in worst.iter().take(3) {
            let _ = writeln!(
                out,
                "      relevance grows {:.1e} times at '{}' ({})",
                unit.amplification(),
                Shown(&unit.node),
                Shown(&unit.operators)
            );
        }
        if let (Some(first), Some(last)) = (self.units.first(), self.units.last()) {
            let sum = |of: fn(&Entry) -> f64| self.units.iter().map(of).sum::<f64>();
            let _ = writeln!(
                out,
                "      balance: {:.4e} started, biases and constants took {:.4e}, stabilisers {:.4e}, \
                 the last unit gave {:.4e} to its operands",
                first.received,
                sum(|u| u.bias),
                sum(|u| u.stabiliser),
                last.given
            );
        }
        out
    }

    /// The balance of every unit, for people.
    pub fn balance(&self) -> String {
        let mut out = format!(
            "      {:>11} {:>11} {:>11} {:>11}  unit\n",
            "received", "given", "stabiliser", "bias"
        );
        for u in &self.units {
            let _ = writeln!(
                out,
                "      {:>11.4e} {:>11.4e} {:>11.4e} {:>11.4e}  {} '{}'",
                u.received,
                u.given,
                u.stabiliser,
                u.bias,
                Shown(&u.operators),
                Shown(&u.node)
            );
        }
        out
    }
}
