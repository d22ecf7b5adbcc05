//! The proof: the explained model beside its source, on ONNX Runtime.

pub mod balance;
pub mod bench;
pub mod elsewhere;
mod feeds;
mod judge;
mod report;
mod rounding;
pub mod runtime;
pub mod session;

use std::path::{Path, PathBuf};

use balance::{Balance, Books, Shares};
use elsewhere::{Elsewhere, Ran};
use feeds::Feeds;
use half::{bf16, f16};
use judge::Evidence;
use prost::Message;
use runtime::Locate;
use session::{Array, Device, NamedInput, Runner, Source};

pub use feeds::Feed;
pub use judge::Fault;
pub use report::{Alternative, Lost, OutputReport, RelevanceReport, Report};
pub use rounding::Moved;

use crate::{
    Hint, ParseError,
    back::{self, Record},
    compile::Draft,
    ir::{self, Dim, Graph, Value},
    onnx::{self, Addition, DataType, Model, schema::ModelProto, shown::Shown},
    options::{Level, Options},
    rules::{self, Normalize},
};

/// How far original outputs may move when ONNX Runtime's graph optimisations are on, relative to
/// the largest: an added consumer can break a fusion.
const FUSION: f64 = 1e-4;
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
    /// Another runtime is not there.
    #[error("{runtime} cannot be used: {why}")]
    NoOther {
        /// The runtime.
        runtime: elsewhere::Runtime,
        /// Why not, and what would help.
        why: String,
    },
    /// Another runtime does not run the source.
    #[error(
        "{runtime} does not run the source, so that nothing can be verified there: {}",
        Shown(why)
    )]
    OtherRefuses {
        /// The runtime and its version.
        runtime: String,
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
    /// Another runtime, to run on beside ONNX Runtime.
    pub elsewhere: Option<Elsewhere>,
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
    let directory = source.external().directory();
    let bench = Bench { request, directory, own_rule: explained.rule_text() };
    let originals: Vec<_> = source.graph().output.iter().map(|o| o.name().to_string()).collect();
    let draft = Draft::new(&source, &explained)?;

    let bytes = bytes(source.proto(), &Addition::default());
    let original = match &request.source {
        Some(file) => Source::File(file),
        None => Source::Memory(&bytes, bench.directory),
    };
    let mut runner = bench.runner(&original, false)?;
    let feeds = Feeds::new(&source, &draft.graph, &runner, &request.inputs, &draft.options.set)?;
    let (chosen, source_plain) = feeds.run(&mut runner)?;
    drop(runner);
    let mut runner = bench.runner(&Source::File(path), false)?;
    let fed = feeds.for_explained(&chosen, &runner, &request.inputs, classes(&draft))?;
    let plain = runner.run(&fed)?;
    drop(runner);
    let (rounded, moved) = bench.rounded(model.proto(), &Addition::default(), &fed)?;
    let optimised = bench.run(&Source::File(path), true, &fed)?;
    let source_optimised = bench.run(&original, true, &fed)?;
    let elsewhere = match &request.elsewhere {
        Some(how) => {
            let models = elsewhere::Models {
                source: Ran { model: &source, feeds: &chosen.arrays, outputs: &source_plain },
                explained: Ran { model: &model, feeds: &fed, outputs: &plain },
                options: &explained,
            };
            Some(elsewhere::verify(how, &models)?)
        }
        None => None,
    };
    drop(bytes);
    let (level, other) = bench.other_level(&source, &explained, &fed)?;
    let balance = bench.balance(&source, &explained, &fed)?;

    let precision = precision(&draft.graph);
    let mut outputs = Vec::new();
    for name in &originals {
        let all = [&plain, &source_plain, &optimised, &source_optimised];
        let [Some(a), Some(b), Some(c), Some(d)] = all.map(|arrays| find(arrays, name)) else {
            continue; // No tensor of numbers.
        };
        let identical = a.is_identical(b);
        let (difference, optimised_difference) = (difference(a, b), difference(c, d));
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
        let apart = |from: &[(String, Array)]| {
            Some(judge::distance(&numbers, &find(from, name)?.numbers()))
        };
        let evidence = Evidence {
            finite: [Some(array), find(&optimised, name)].iter().all(|a| a.is_some_and(is_finite)),
            movement: apart(&rounded).filter(|_| moved != Moved::default()),
            levels: apart(&other),
        };
        let finite = numbers.iter().filter(|v| v.is_finite());
        let faults = evidence.faults();
        relevance.push(RelevanceReport {
            name: name.clone(),
            shape: array.shape().to_vec(),
            finite: evidence.finite,
            sum: finite.clone().sum(),
            magnitude: finite.map(|v| v.abs()).sum(),
            other_level: level.to_string(),
            other_level_distance: evidence.levels.filter(|distance| distance.is_finite()),
            movement: evidence.movement.filter(|movement| movement.is_finite()),
            holds: faults.is_empty(),
            faults,
        });
    }
    // Of inputs alone: what is shown of other values is counted there already.
    let names = draft.plan.inputs.iter().map(|v| format!("{}_relevance", draft.graph.name(*v)));
    let names: Vec<_> = names.collect();
    let maps = relevance.iter().filter(|r| names.contains(&r.name));
    // Stretching a coarse map by a fraction rounds shares, by up to a tenth of them.
    let slack = if draft.plan.map_at.is_some() { 1.1 } else { 1.0 };
    let bound = is_bounded(&draft).then_some(slack * balance.start);
    // Where some of it is not finite, sums say nothing.
    let finite = relevance.iter().all(|r| r.finite);
    let fault = judge::of_all(maps.map(|r| r.magnitude).sum(), bound).filter(|_| finite);
    let holds = outputs.iter().all(|o| o.holds)
        && relevance.iter().all(|r| r.holds)
        && fault.is_none()
        && elsewhere.as_ref().is_none_or(|e| e.holds);
    let unstable = |r: &RelevanceReport| {
        r.faults.iter().any(|fault| matches!(fault, Fault::Moves { .. } | Fault::Levels { .. }))
    };
    let (mut lost, mut alternatives) = (None, Vec::new());
    if relevance.iter().any(unstable) {
        lost = bench.lost(&source, &explained, &fed)?;
    }
    if fault.is_some() || relevance.iter().any(|r| !r.holds) {
        alternatives = bench.alternatives(&source, &explained, &originals, &fed);
    }
    Ok(Report {
        model: path.into(),
        device: request.device,
        inputs: feeds.report(&fed, &request.inputs),
        outputs,
        relevance,
        start: balance.start,
        bounded: bound.is_some(),
        moved,
        fault,
        lost,
        alternatives,
        units: balance.entries,
        elsewhere,
        holds,
    })
}

/// The array of that name.
fn find<'a>(arrays: &'a [(String, Array)], name: &str) -> Option<&'a Array> {
    arrays.iter().find(|(known, _)| known == name).map(|(_, array)| array)
}

fn is_finite(array: &Array) -> bool {
    array.numbers().iter().all(|v| v.is_finite())
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

/// Whether every rule promises that Σ |R| does not grow, and maps are shown as they are.
fn is_bounded(draft: &Draft<'_>) -> bool {
    draft.plan.start.normalize == Normalize::None
        && draft.plan.units.iter().all(|planned| planned.rule.rule().is_bounded())
}

/// How many classes there are to choose from; one, where that is not known.
fn classes(draft: &Draft<'_>) -> usize {
    let ty = draft.graph.ty(draft.plan.explained.value);
    let own = usize::from(ty.rank().is_some_and(|rank| rank > 1));
    let chosen = draft.options.class_axis.and_then(|axis| ir::axis(axis, ty.rank()?).ok());
    let count = ty.dim(chosen.unwrap_or(own)).and_then(Dim::known);
    count.and_then(|n| usize::try_from(n).ok()).unwrap_or(1)
}

/// A model and inputs that are moved by their rounding, with what could be moved.
fn rounded(
    model: &ModelProto,
    addition: &Addition,
    feeds: &[(String, Array)],
) -> (Vec<u8>, Vec<(String, Array)>, Moved) {
    let mut model = model.clone();
    let weights = rounding::weights(&mut model);
    let (feeds, inputs) = rounding::inputs(feeds);
    (bytes(&model, addition), feeds, Moved { inputs, weights })
}

/// The explained model at the other level, and which that is.
fn other_level(source: &Model, options: &Options) -> Result<(Level, Vec<u8>), Error> {
    let level = if options.level == Level::O0 { Level::O2 } else { Level::O0 };
    let options = Options { level, passes: None, bake_twins: false, ..options.clone() };
    Ok((level, crate::compile(source, &options)?.encode().concat()))
}

/// The largest difference, relative to the largest finite value; equal where both are not finite.
fn difference(a: &Array, b: &Array) -> f64 {
    apart(&a.numbers(), &b.numbers())
}

/// The same of numbers.
fn apart(a: &ndarray::ArrayD<f64>, b: &ndarray::ArrayD<f64>) -> f64 {
    if a.shape() != b.shape() {
        return f64::INFINITY;
    }
    let scale = b.iter().filter(|v| v.is_finite()).fold(0.0f64, |m, v| m.max(v.abs()));
    let apart = a.iter().zip(b).fold(0.0f64, |m, (&a, &b)| {
        let same = a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan());
        let d = (a - b).abs();
        if same { m } else { m.max(if d.is_nan() { f64::INFINITY } else { d }) }
    });
    if apart > 0.0 { apart / scale.max(f64::MIN_POSITIVE) } else { 0.0 }
}

struct Bench<'r> {
    request: &'r Request,
    directory: &'r Path,
    /// The rule or composite that is verified, as text.
    own_rule: String,
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

    /// What a model gives when its inputs and the weights that lie in it move by their rounding, and which
    /// of them there are.
    fn rounded(
        &self,
        model: &ModelProto,
        addition: &Addition,
        feeds: &[(String, Array)],
    ) -> Result<(Vec<(String, Array)>, Moved), Error> {
        let (bytes, feeds, moved) = rounded(model, addition, feeds);
        let outputs = self.run(&Source::Memory(&bytes, self.directory), false, &feeds)?;
        Ok((outputs, moved))
    }

    /// What the other level gives, and which that is.
    fn other_level(
        &self,
        source: &Model,
        options: &Options,
        feeds: &[(String, Array)],
    ) -> Result<(Level, Vec<(String, Array)>), Error> {
        let (level, bytes) = other_level(source, options)?;
        Ok((level, self.run(&Source::Memory(&bytes, self.directory), false, feeds)?))
    }

    /// What each unit received and gave.
    fn balance(
        &self,
        source: &Model,
        options: &Options,
        feeds: &[(String, Array)],
    ) -> Result<Balance, Error> {
        let books = Books::open(source, options)?;
        let bytes = bytes(source.proto(), &books.addition);
        let found = self.run(&Source::Memory(&bytes, self.directory), false, feeds)?;
        let numbers = find(&found, balance::OUTPUT).map(|a| a.numbers().into_iter());
        Ok(books.close(&numbers.into_iter().flatten().collect::<Vec<_>>()))
    }

    /// The first unit, from the explained tensor, that gives on relevance which moves too far with the
    /// rounding of inputs and weights.
    fn lost(
        &self,
        source: &Model,
        options: &Options,
        feeds: &[(String, Array)],
    ) -> Result<Option<Lost>, Error> {
        let shares = Shares::open(source, options)?;
        let bytes = bytes(source.proto(), &shares.addition);
        let plain = Shares::of(self.run(&Source::Memory(&bytes, self.directory), false, feeds)?);
        drop(bytes);
        let rounded = Shares::of(self.rounded(source.proto(), &shares.addition, feeds)?.0);
        let moves = plain.iter().zip(&rounded);
        let moves = moves.map(|(a, b)| judge::distance(&a.numbers(), &b.numbers()));
        let mut moves = shares.units.into_iter().zip(moves);
        let first = moves.find(|(_, by)| !judge::within(*by, judge::MOVEMENT));
        Ok(first.map(|(unit, by)| Lost { node: unit.node, operators: unit.operators, by }))
    }

    /// What other rules and composites do on this network: the default, then the presets that need no
    /// options, until one holds.
    fn alternatives(
        &self,
        source: &Model,
        options: &Options,
        originals: &[String],
        feeds: &[(String, Array)],
    ) -> Vec<Alternative> {
        let rule = Options { rule: rules::Choice::default(), composite: None, ..options.clone() };
        let composites = rules::PRESETS.iter().filter_map(|preset| {
            let composite = Some(preset.name.parse().ok()?);
            Some(Options { composite, ..rule.clone() })
        });
        let mut tried: Vec<Alternative> = Vec::new();
        for options in std::iter::once(rule.clone()).chain(composites) {
            // What cannot be explained so, or does not run, is no alternative.
            if options.rule_text() != self.own_rule
                && let Ok(alternative) = self.alternative(source, &options, originals, feeds)
            {
                let holds = alternative.holds;
                tried.push(alternative);
                if holds {
                    break;
                }
            }
        }
        tried
    }

    fn alternative(
        &self,
        source: &Model,
        options: &Options,
        originals: &[String],
        feeds: &[(String, Array)],
    ) -> Result<Alternative, Error> {
        let explanation = crate::compile(source, options)?;
        let bytes = explanation.encode().concat();
        let plain = self.run(&Source::Memory(&bytes, self.directory), false, feeds)?;
        drop(bytes);
        let (rounded, moved) = self.rounded(source.proto(), explanation.addition(), feeds)?;
        let (_, other) = self.other_level(source, options, feeds)?;
        let (mut movement, mut magnitude, mut holds) = (None::<f64>, 0.0, true);
        for (name, array) in plain.iter().filter(|(name, _)| !originals.contains(name)) {
            let numbers = array.numbers();
            let apart = |from: &[(String, Array)]| {
                Some(judge::distance(&numbers, &find(from, name)?.numbers()))
            };
            let moves = apart(&rounded).filter(|_| moved != Moved::default());
            let evidence =
                Evidence { finite: is_finite(array), movement: moves, levels: apart(&other) };
            holds &= evidence.faults().is_empty();
            movement = movement.map_or(moves, |most| Some(moves.map_or(most, |by| most.max(by))));
            magnitude += numbers.iter().map(|v| v.abs()).sum::<f64>();
        }
        holds &= judge::of_all(magnitude, None).is_none();
        let choice = if options.composite.is_some() { "--composite" } else { "--rule" };
        let movement = movement.filter(|movement| movement.is_finite());
        Ok(Alternative { choice: format!("{choice} {}", options.rule_text()), movement, holds })
    }
}
