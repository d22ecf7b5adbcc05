//! A case: a model and options, both made from a number alone, and what must hold of it.

use std::{
    fs,
    panic::{self, AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    str::FromStr,
    sync::{Mutex, MutexGuard, PoisonError},
};

use abslrp::{
    Options, compile, inspect,
    onnx::{
        Model,
        schema::{GraphProto, ModelProto, type_proto},
    },
    options::{Init, Level, MapAt, Reduce, Target},
    print,
    rules::{self, Choice},
    verify::{
        runtime::Locate,
        session::{Array, Device, Input, Runner, Source, sample},
    },
};
use fastrand::Rng;
use prost::Message;

use crate::mutate::mutate;

/// How far a case has come; a process that dies says by this what killed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    Compiling,
    /// ONNX Runtime loads and runs the source: what it dies of is no fault of ours.
    RunningSource,
    RunningExplained,
}

/// What became of a case.
pub enum Outcome {
    Refused,
    Explained,
    Failed(String),
}

/// The models that are changed.
pub struct Corpus(Vec<PathBuf>);

impl Corpus {
    /// The fixtures of the project, in a fixed order.
    pub fn new(root: &Path) -> Result<Self, String> {
        let mut models = Vec::new();
        for folder in ["fixtures", "fixtures/forms", "fixtures/rulebook", "fixtures/subgraphs"] {
            models.extend(models_in(&root.join(folder))?);
        }
        Ok(Self(models))
    }
}

/// The models in a folder, by name.
pub fn models_in(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let entries = fs::read_dir(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let mut models: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    models.retain(|path| path.extension().is_some_and(|extension| extension == "onnx"));
    models.sort();
    Ok(models)
}

pub struct Case {
    /// What was changed in which model.
    pub what: String,
    pub model: Vec<u8>,
    pub options: Options,
    /// Whether ONNX Runtime has to run what it is compiled to.
    pub run: bool,
}

impl Case {
    /// The case with this number. `sample`: of how many one is run.
    pub fn new(corpus: &Corpus, seed: u64, sample: u64) -> Result<Self, String> {
        let mut random = Rng::with_seed(seed);
        let path = &corpus.0[random.usize(..corpus.0.len())];
        let bytes = fs::read(path).map_err(|e| format!("{}: {e}", path.display()))?;
        let options = options(&mut random);
        // What a file says of results is believed, and a runtime only warns of what is wrong there. How
        // long a graph input `target` has to be, only the model knows.
        let runs = options.target != Target::Input && random.bool();
        let run = runs && random.u64(..).is_multiple_of(sample.max(1));
        let mut changes = Vec::new();
        let model = if random.u8(..20) == 0 {
            changes.push("bytes".into());
            flipped(bytes, &mut random)
        } else {
            let mut model = ModelProto::decode(bytes.as_slice()).map_err(|e| e.to_string())?;
            let wanted = 1 + random.usize(..3);
            // Some kinds have nothing to change in some models.
            for _ in 0..20 * wanted {
                if changes.len() < wanted {
                    changes.extend(mutate(&mut model, &mut random));
                }
            }
            if runs && let Some(graph) = model.graph.as_mut() {
                undeclared(graph);
            }
            model.encode_to_vec()
        };
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        Ok(Self { what: format!("{name}: {}", changes.join("; ")), model, options, run })
    }

    /// A found model, with each level and rule.
    pub fn of_file(path: &Path) -> Result<Vec<Self>, String> {
        let model = fs::read(path).map_err(|e| format!("{}: {e}", path.display()))?;
        // Those that cannot do without options are left out.
        let rules = rules::ALL.iter().filter_map(|rule| rule.name().parse::<Choice>().ok());
        let case = |(rule, level): (Choice, Level)| {
            let options = Options { rule, level, ..Options::default() };
            let what = format!("{} with {} at {level:?}", path.display(), options.rule_text());
            Self { what, model: model.clone(), options, run: true }
        };
        Ok(rules
            .flat_map(|rule| [(rule.clone(), Level::O0), (rule, Level::O2)])
            .map(case)
            .collect())
    }

    /// Explains the model, and checks what comes of it.
    pub fn run(&self, mut at: impl FnMut(Stage)) -> Outcome {
        at(Stage::Compiling);
        let explained = match catch_unwind(AssertUnwindSafe(|| self.compile())) {
            // The hook of `main` says what was panicked about.
            Err(_) => return Outcome::Failed(last_panic()),
            Ok(Err(reason)) if reason.is_empty() => {
                return Outcome::Failed("refused without a reason".into());
            }
            Ok(Err(_)) => return Outcome::Refused,
            Ok(Ok(explained)) => explained,
        };
        if let Err(e) = Model::decode(explained.clone().into(), "explained.onnx") {
            return Outcome::Failed(format!("what was written cannot be read: {e}"));
        }
        if self.run {
            at(Stage::RunningSource);
            let source = outputs(&self.model);
            at(Stage::RunningExplained);
            // Of nothing, no class is the largest.
            let chooses = matches!(self.options.target, Target::Argmax | Target::Max);
            let none = matches!(&source, Ran::Gave(all) if all.iter().any(|(_, y)| y.numbers().is_empty()));
            if chooses && none {
                return Outcome::Explained;
            }
            if let Err(why) = same(source, || outputs(&explained)) {
                return if self.draws() { Outcome::Explained } else { Outcome::Failed(why) };
            }
        }
        Outcome::Explained
    }

    /// Whether something is drawn at random, which ONNX Runtime does by the number of a node.
    fn draws(&self) -> bool {
        let model = Model::decode(self.model.clone().into(), "case.onnx");
        let is_random =
            |op: &str| op.starts_with("Random") || op == "Bernoulli" || op == "Multinomial";
        model.is_ok_and(|model| model.graph().node.iter().any(|node| is_random(node.op_type())))
    }

    /// The explained model, or why there is none.
    fn compile(&self) -> Result<Vec<u8>, String> {
        let bytes = self.model.clone().into();
        let model = Model::decode(bytes, "case.onnx").map_err(|e| e.to_string())?;
        // Neither asks for a rule, and both have to end.
        let _ = print(&model);
        let _ = inspect(&model, &self.options);
        let explanation = compile(&model, &self.options).map_err(|e| e.to_string())?;
        Ok(explanation.encode().concat())
    }
}

/// Takes away what the graph says of the shapes of results.
fn undeclared(graph: &mut GraphProto) {
    graph.value_info.clear();
    for output in &mut graph.output {
        let value = output.r#type.as_mut().and_then(|ty| ty.value.as_mut());
        if let Some(type_proto::Value::TensorType(tensor)) = value {
            tensor.shape = None;
        }
    }
}

fn options(random: &mut Rng) -> Options {
    let mut options = Options {
        level: if random.u8(..3) == 0 { Level::O0 } else { Level::O2 },
        ..Options::default()
    };
    if random.u8(..3) == 0 {
        let rule = rules::ALL[random.usize(..rules::ALL.len())].name();
        options.rule = rule.parse().unwrap_or_default();
    }
    match random.u8(..8) {
        0 => options.target = Target::Argmax,
        1 => options.target = Target::Index(random.i64(-2..4)),
        2 => options.target = Target::Input,
        3 => options.relevance_of = vec!["x".into(), "y".into(), "x".into()],
        4 => options.bake_twins = true,
        _ => {}
    }
    match random.u8(..24) {
        0 => options.on_demand = true,
        1 => options.reduce = Reduce::Channels,
        2 => options.select = one_of(&["...,:1", ":,1:", "::2", ":,-1"], random),
        3 => options.target = Target::Max,
        4 => options.map_at = Some(MapAt::Size(random.usize(1..9))),
        5 => (options.target, options.contrastive) = (Target::Index(0), true),
        6 => options.init = [Init::Abs, Init::One, Init::Softmax][random.usize(..3)],
        7 => {
            let presets = [
                "epsilon-plus",
                "epsilon-gamma-box:low=-1,high=1",
                "attnlrp",
                "cp-lrp",
                "excitation-backprop",
            ];
            options.composite = one_of(&presets, random);
        }
        _ => {}
    }
    options
}

/// One of the texts, read; none that the option does not know.
fn one_of<T: FromStr>(texts: &[&str], random: &mut Rng) -> Option<T> {
    texts.get(random.usize(..texts.len()))?.parse().ok()
}

/// The file with some bytes changed, or cut short.
fn flipped(mut bytes: Vec<u8>, random: &mut Rng) -> Vec<u8> {
    if random.u8(..4) == 0 {
        bytes.truncate(random.usize(..bytes.len()));
    }
    for _ in 0..random.usize(..4) {
        let at = random.usize(..bytes.len().max(1));
        if let Some(byte) = bytes.get_mut(at) {
            *byte = random.u8(..);
        }
    }
    bytes
}

/// What a model gives for numbers of its own, as far as it gets.
enum Ran {
    /// ONNX Runtime refuses it, for this reason.
    Refused(String),
    /// It is loaded, and does not run.
    Loaded(String),
    Gave(Vec<(String, Array)>),
}

fn outputs(bytes: &[u8]) -> Ran {
    let source = Source::Memory(bytes, Path::new("."));
    let how = Locate { fetch: Some(|what| eprintln!("{what}")), ..Locate::default() };
    let mut runner = match Runner::new(&source, false, Device::Cpu, &how) {
        Ok(runner) => runner,
        Err(e) => return Ran::Refused(e.to_string()),
    };
    let feed = |input: Input| {
        let sizes = input.shape.iter().map(|size| size.unwrap_or(8));
        let sizes: Vec<_> = sizes.collect();
        // What takes gigabytes is not what this is about.
        let small = sizes.iter().try_fold(1usize, |n, &size| n.checked_mul(size))? < 1 << 16;
        let array = small.then(|| sample(&sizes, input.elem, 1).ok())??;
        Some((input.name, array))
    };
    let feeds: Option<Vec<_>> = runner.inputs().into_iter().map(feed).collect();
    let Some(feeds) = feeds else { return Ran::Loaded("no inputs".into()) };
    runner.run(&feeds).map_or_else(|e| Ran::Loaded(e.to_string()), Ran::Gave)
}

/// Whether the explained model gets as far as the source, and gives what that gives.
fn same(source: Ran, explained: impl FnOnce() -> Ran) -> Result<(), String> {
    if matches!(source, Ran::Refused(_)) {
        return Ok(());
    }
    // Numbers that are none come of sizes and values that no model is made for.
    let sound = |(_, output): &(String, Array)| output.numbers().iter().all(|n| n.is_finite());
    if matches!(&source, Ran::Gave(outputs) if !outputs.iter().all(sound)) {
        return Ok(());
    }
    match (source, explained()) {
        (_, Ran::Refused(why)) => Err(format!("ONNX Runtime loads the source, but: {why}")),
        (Ran::Gave(_), Ran::Loaded(why)) => Err(format!("the source runs, but: {why}")),
        (Ran::Gave(source), Ran::Gave(explained)) => {
            let differs = |(name, output): &(String, Array)| {
                let same =
                    |(other, value): &(String, Array)| other == name && value.is_identical(output);
                !explained.iter().any(same)
            };
            source.iter().find(|output| differs(output)).map_or(Ok(()), |(name, _)| {
                Err(format!("the output '{name}' is not what the source gives"))
            })
        }
        _ => Ok(()),
    }
}

/// What the last panic said, and where.
static LAST_PANIC: Mutex<String> = Mutex::new(String::new());

/// Keeps what panics say, instead of printing it.
pub fn keep_panics() {
    panic::set_hook(Box::new(|info| *lock(&LAST_PANIC) = info.to_string()));
}

fn last_panic() -> String {
    lock(&LAST_PANIC).clone()
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
