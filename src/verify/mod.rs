//! The proof: the explained model beside its source, on ONNX Runtime.

pub mod balance;
pub mod bench;
mod feeds;
mod report;
pub mod runtime;
pub mod session;

use std::path::{Path, PathBuf};

use balance::{Books, Entry};
use feeds::Feeds;
use half::{bf16, f16};
use prost::Message;
use runtime::Locate;
use session::{Array, Device, NamedInput, Runner, Source};

pub use feeds::Feed;
pub use report::{OutputReport, RelevanceReport, Report};

use crate::{
    Hint, ParseError,
    back::{self, Record},
    compile::Draft,
    ir::{self, Dim, Graph, Value},
    onnx::{self, Addition, DataType, Model, schema::ModelProto, shown::Shown},
    options::{Level, Options},
};

/// How far original outputs may move when ONNX Runtime's graph optimisations are on, relative to
/// the largest: an added consumer can break a fusion.
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
    let draft = Draft::new(&source, &explained)?;

    let bytes = bytes(source.proto(), &Addition::default());
    let original = match &request.source {
        Some(file) => Source::File(file),
        None => Source::Memory(&bytes, bench.directory),
    };
    let mut runner = bench.runner(&original, false)?;
    let feeds = Feeds::new(&source, &draft.graph, &runner, &request.inputs)?;
    let (chosen, source_plain) = feeds.run(&mut runner)?;
    drop(runner);
    let mut runner = bench.runner(&Source::File(path), false)?;
    let fed = feeds.for_explained(&chosen, &runner, &request.inputs, classes(&draft))?;
    let plain = runner.run(&fed)?;
    let rounded = runner.run(&rounded(&fed))?;
    drop(runner);
    let optimised = bench.run(&Source::File(path), true, &fed)?;
    let source_optimised = bench.run(&original, true, &fed)?;
    drop(bytes);
    let level = if explained.level == Level::O0 { Level::O2 } else { Level::O0 };
    let options = Options { level, passes: None, bake_twins: false, ..explained.clone() };
    let other = crate::compile(&source, &options)?;
    let other = other.encode().concat();
    let other = bench.run(&Source::Memory(&other, bench.directory), false, &fed)?;
    let units = bench.balance(&source, &explained, &fed)?;
    // Relevance that has grown is a difference of large numbers somewhere, and rounded accordingly.
    let largest =
        units.iter().map(|u| u.received_magnitude.max(u.given_magnitude)).fold(0.0, f64::max);
    let growth = units.first().map_or(1.0, |first| largest / first.received_magnitude);

    let get = |arrays: &[(String, Array)], name: &str| {
        arrays.iter().find(|(known, _)| known == name).map(|(_, array)| array.clone())
    };
    let precision = precision(&draft.graph);
    let mut outputs = Vec::new();
    for name in &originals {
        let of = |arrays| get(arrays, name);
        let (Some(a), Some(b), Some(c), Some(d)) =
            (of(&plain), of(&source_plain), of(&optimised), of(&source_optimised))
        else {
            continue; // No tensor of numbers.
        };
        let identical = a.is_identical(&b);
        let (difference, optimised_difference) = (difference(&a, &b), difference(&c, &d));
        // Devices other than the CPU may choose another algorithm for the same node, and the CPU computes
        // half precision in float32, from cast to cast: what more is read it rounds elsewhere.
        let may_differ = precision > FUSION || request.device == Device::Cuda;
        let same = identical || may_differ && difference <= precision;
        outputs.push(OutputReport {
            name: name.clone(),
            identical,
            difference,
            optimised_difference,
            holds: same && optimised_difference <= precision,
        });
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
    Ok(Report {
        model: path.into(),
        device: request.device,
        inputs: feeds.report(&fed, &request.inputs),
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

/// How far outputs may move, relative to the largest: by what ONNX Runtime fuses otherwise, and in half
/// precision by what it rounds otherwise.
fn precision(graph: &Graph) -> f64 {
    let values = graph.nodes().flat_map(|node| graph.outputs(node));
    let of_value = |v: Value| match graph.ty(v).elem {
        DataType::Float16 => f16::EPSILON.to_f64(),
        DataType::Bfloat16 => bf16::EPSILON.to_f64(),
        _ => FUSION,
    };
    values.filter(|&v| graph.is_active(v)).map(of_value).fold(FUSION, f64::max)
}

/// How many classes there are to choose from; one, where that is not known.
fn classes(draft: &Draft<'_>) -> usize {
    let ty = draft.graph.ty(draft.plan.explained.value);
    let own = usize::from(ty.rank().is_some_and(|rank| rank > 1));
    let chosen = draft.options.class_axis.and_then(|axis| ir::axis(axis, ty.rank()?).ok());
    let count = ty.dim(chosen.unwrap_or(own)).and_then(Dim::known);
    count.and_then(|n| usize::try_from(n).ok()).unwrap_or(1)
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
}
