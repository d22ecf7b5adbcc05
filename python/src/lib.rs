//! The Python module `abslrp._abslrp`: the library's verbs as the package `abslrp` calls them.
//!
//! Options and reports go through here as JSON, in which the library reads and writes them itself; what they are in Python is
//! said in the package alone. All work is done beside the interpreter ([`work::run`]).

mod arrays;
mod errors;
mod work;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use abslrp::{
    Options, Record,
    evaluate::{self as evaluation, By, Data, Replace},
    onnx::{Model, PROTOBUF_LIMIT, Transaction},
    rules::{self as rulebook, Composite, PRESETS},
    verify::{
        self as verification,
        runtime::Locate,
        session::{Device, NamedInput, Runner, Settings},
    },
};
use bytes::Bytes;
use numpy::{PyArrayDyn, PyArrayMethods};
use pyo3::{
    prelude::*,
    pybacked::PyBackedBytes,
    types::{PyBytes, PyDict},
};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use errors::Failure;

/// A model: what a file holds, or where one is.
#[derive(FromPyObject)]
enum Source {
    Bytes(PyBackedBytes),
    Path(PathBuf),
}

impl Source {
    /// The model. Its weights are not copied.
    fn open(self) -> Result<Model, Failure> {
        Ok(match self {
            // What messages call it, and within the current directory.
            Self::Bytes(bytes) => Model::decode(Bytes::from_owner(bytes), "model")?,
            Self::Path(path) => Model::open(path)?,
        })
    }
}

/// Where ONNX Runtime is: the one named, or as the library finds it.
fn locate(library: Option<PathBuf>) -> Locate {
    Locate { library, fetch: Some(|what| eprintln!("{what}")) }
}

/// Options from what JSON says of them.
fn options(json: &str) -> Result<Options, Failure> {
    let invalid = |key: &str, e: serde_json::Error| Failure::Argument(format!("{key}: {e}"));
    let mut given: Map<String, Value> =
        serde_json::from_str(json).map_err(|e| invalid("options", e))?;
    if let Some(Value::String(preset)) = given.get("composite") {
        let preset: Composite = preset.parse()?;
        given.insert("composite".into(), json!(preset));
    }
    for (key, value) in &given {
        // One by one, so that an error says which it is about.
        let alone = json!({ key: value });
        Options::deserialize(alone).map_err(|e| invalid(key, e))?;
    }
    Options::deserialize(Value::Object(given)).map_err(|e| invalid("options", e))
}

fn device(name: &str) -> Result<Device, Failure> {
    match name {
        "cpu" => Ok(Device::Cpu),
        "cuda" => Ok(Device::Cuda),
        other => Err(Failure::Argument(format!("device: '{other}' is neither cpu nor cuda"))),
    }
}

/// Explains a model. With a path `out` it is written there; without, it comes as bytes. Gives the bytes, and the summary
/// as JSON.
#[pyfunction]
fn compile<'py>(
    py: Python<'py>,
    model: Source,
    out: Option<PathBuf>,
    options: &str,
    progress: Option<&Bound<'py, PyAny>>,
) -> PyResult<(Option<Bound<'py, PyBytes>>, String)> {
    let options = self::options(options).map_err(|failure| failure.raise(py))?;
    let (pieces, staged, summary) = work::run(py, progress, move |progress| {
        let model = model.open()?;
        let mut transaction = Transaction::default();
        if let Some(out) = &out {
            model.files().iter().for_each(|path| transaction.protect(path));
            transaction.check(out)?;
        }
        let explanation = abslrp::compile(&model, &options)?;
        let summary = json!(explanation.summary()).to_string();
        let Some(out) = out else {
            return Ok((Some(explanation.encode()), None, summary));
        };
        // Where the caller has gone meanwhile, nobody commits it.
        let progress = |done, total| {
            let _ = progress(done, total);
        };
        explanation.writer().progress(&progress).stage(&out, &mut transaction)?;
        Ok((None, Some(transaction), summary))
    })?;
    if let Some(staged) = staged {
        py.detach(|| staged.commit()).map_err(|e| Failure::from(e).raise(py))?;
    }
    let joined = |pieces: Vec<Bytes>| {
        let length = pieces.iter().map(Bytes::len).sum();
        if length as u64 > PROTOBUF_LIMIT {
            let what = "the explained model is larger than a message can be; pass paths";
            return Err(Failure::Argument(what.into()).raise(py));
        }
        PyBytes::new_with(py, length, |mut room| {
            for piece in pieces {
                let (front, rest) = room.split_at_mut(piece.len());
                front.copy_from_slice(&piece);
                room = rest;
            }
            Ok(())
        })
    };
    Ok((pieces.map(joined).transpose()?, summary))
}

/// The plan as JSON and as text, and why the model would be refused.
#[pyfunction]
fn inspect(
    py: Python<'_>,
    model: Source,
    options: &str,
) -> PyResult<(String, String, Option<String>)> {
    let options = self::options(options).map_err(|failure| failure.raise(py))?;
    work::run(py, None, move |_| {
        let inspection = abslrp::inspect(&model.open()?, &options)?;
        let refusal = inspection.refusal.as_ref().map(ToString::to_string);
        Ok((json!(inspection).to_string(), inspection.text(), refusal))
    })
}

/// The report as JSON and as text.
#[pyfunction]
fn verify(
    py: Python<'_>,
    model: PathBuf,
    source: Option<PathBuf>,
    inputs: Vec<(String, PathBuf)>,
    device: &str,
    library: Option<PathBuf>,
) -> PyResult<(String, String)> {
    let request = verification::Request {
        source,
        options: None,
        device: self::device(device).map_err(|failure| failure.raise(py))?,
        inputs: inputs.into_iter().map(|(name, path)| NamedInput { name, path }).collect(),
        runtime: locate(library),
        elsewhere: None,
    };
    work::run(py, None, move |_| {
        let report = verification::verify(&model, &request)?;
        Ok((json!(report).to_string(), report.text() + &report.balance()))
    })
}

/// How rules are measured, as the package's `evaluate` has it.
#[derive(Deserialize)]
struct Measure {
    /// Options by the names of methods.
    methods: Vec<(String, Value)>,
    by: Option<String>,
    patch: Option<usize>,
    replace: Option<String>,
    steps: usize,
    by_label: bool,
    gae: bool,
    batch: usize,
    layout: Option<String>,
    seed: u64,
    device: String,
}

impl Measure {
    /// The request, with the axes of an image as the input's shape or the layout says.
    fn request(self, data: &Data, locate: Locate) -> Result<evaluation::Request, Failure> {
        let refuse = |what: String| Err(Failure::Argument(what));
        let methods = self.methods.into_iter();
        let methods = methods.map(|(name, given)| {
            let options = options(&given.to_string())?;
            let name = if name.is_empty() { options.rule_text() } else { name };
            Ok((name, options))
        });
        let by = match self.by.as_deref() {
            None => None,
            Some("patches") => Some(By::Patches),
            Some("tokens") => Some(By::Tokens),
            Some("features") => Some(By::Features),
            Some(other) => {
                return refuse(format!("by: '{other}' is none of patches, tokens and features"));
            }
        };
        let samples = data.inputs.first().map(|(_, array)| array.shape());
        let shape = samples.map(|shape| shape.iter().map(|&n| Some(n)).collect::<Vec<_>>());
        let inferred = shape.as_deref().and_then(evaluation::image_axes);
        let image = match self.layout.as_deref() {
            None => inferred,
            Some("nchw") => Some([1, 2, 3]),
            Some("nhwc") => Some([3, 1, 2]),
            Some(other) => return refuse(format!("layout: '{other}' is neither nchw nor nhwc")),
        };
        Ok(evaluation::Request {
            methods: methods.collect::<Result<_, Failure>>()?,
            by,
            patch: self.patch,
            replace: self.replace.map(|text| text.parse::<Replace>()).transpose()?,
            steps: self.steps,
            by_label: self.by_label,
            gae: self.gae && image.is_some() && samples.is_some_and(|s| s.first() >= Some(&4)),
            batch: self.batch,
            image,
            seed: self.seed,
            device: device(&self.device)?,
            runtime: locate,
        })
    }
}

type Doubles<'py> = Bound<'py, PyArrayDyn<f64>>;

/// The report as JSON.
#[pyfunction]
#[allow(clippy::too_many_arguments)] // The package has names for them.
fn evaluate(
    py: Python<'_>,
    model: Source,
    inputs: Vec<(Option<String>, Doubles<'_>)>,
    labels: Option<Vec<usize>>,
    masks: Option<Doubles<'_>>,
    measure: &str,
    library: Option<PathBuf>,
    progress: Option<&Bound<'_, PyAny>>,
) -> PyResult<String> {
    let owned = |array: Doubles<'_>| array.readonly().as_array().to_owned();
    let data = Data {
        inputs: inputs.into_iter().map(|(name, array)| (name, owned(array))).collect(),
        labels,
        masks: masks.map(owned),
    };
    let measure: Measure =
        serde_json::from_str(measure).map_err(|e| Failure::Argument(e.to_string()).raise(py))?;
    work::run(py, progress, move |progress| {
        let model = model.open()?;
        let request = measure.request(&data, locate(library))?;
        let report = evaluation::evaluate(&model, &data, &request, progress)?;
        Ok(json!(report).to_string())
    })
}

/// The rules and the composites, as JSON.
#[pyfunction]
fn rules() -> String {
    let list = rulebook::ALL.iter().map(|rule| {
        let options = rule.options().iter().map(|option| {
            let word = |n: f64| option.words.get(n as usize).map_or(json!(n), |word| json!(word));
            json!({ "name": option.name, "default": option.default.map(word), "what": option.what })
        });
        let options: Vec<_> = options.collect();
        json!({
            "name": rule.name(),
            "kind": "rule",
            "options": options,
            "text": rulebook::documentation(*rule),
        })
    });
    let presets = PRESETS.iter().map(|preset| {
        json!({ "name": preset.name, "kind": "composite", "options": [], "text": preset.what })
    });
    json!(list.chain(presets).collect::<Vec<_>>()).to_string()
}

/// An explained model that is ready to run.
#[pyclass(module = "abslrp._abslrp", frozen)]
struct Session {
    runner: Arc<Mutex<Runner>>,
}

#[pymethods]
impl Session {
    /// Loads a model. With options, a model that does not explain itself yet is explained first; with none, it is
    /// explained as the defaults say.
    #[new]
    fn new(
        py: Python<'_>,
        model: Source,
        options: Option<&str>,
        device: &str,
        library: Option<PathBuf>,
    ) -> PyResult<Self> {
        let given = options.is_some();
        let options =
            self::options(options.unwrap_or("{}")).map_err(|failure| failure.raise(py))?;
        let device = self::device(device).map_err(|failure| failure.raise(py))?;
        let runner = work::run(py, None, move |_| {
            let model = model.open()?;
            let settings = Settings { optimise: true, device, ..Settings::default() };
            let bytes = match (Record::read(&model), given) {
                (None, _) => abslrp::compile(&model, &options)?.encode().concat(),
                (Some(_), false) => {
                    abslrp::onnx::encode(model.proto(), &abslrp::onnx::Addition::default()).concat()
                }
                (Some(_), true) => {
                    let what = "options: the model explains itself already; pass the original, or no options";
                    return Err(Failure::Argument(what.into()));
                }
            };
            let directory = model.path().parent().unwrap_or(Path::new("")).to_path_buf();
            let source = verification::session::Source::Memory(&bytes, &directory);
            Ok(Runner::with(&source, &settings, &locate(library))?)
        })?;
        Ok(Self { runner: Arc::new(Mutex::new(runner)) })
    }

    /// The inputs: name, type in numpy, and sizes, of which those that are chosen at run time are `None`.
    #[getter]
    fn inputs(&self) -> Vec<(String, &'static str, Vec<Option<usize>>)> {
        let runner = self.runner.lock().unwrap_or_else(PoisonError::into_inner);
        let inputs = runner.inputs().into_iter();
        inputs.map(|input| (input.name, arrays::name(input.elem), input.shape)).collect()
    }

    /// The outputs for arrays by the names of inputs.
    fn run<'py>(
        &self,
        py: Python<'py>,
        feeds: Vec<(String, Bound<'py, PyAny>)>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let runner = Arc::clone(&self.runner);
        let inputs = py.detach(|| runner.lock().unwrap_or_else(PoisonError::into_inner).inputs());
        let mut given = Vec::new();
        for (name, array) in feeds {
            let Some(input) = inputs.iter().find(|input| input.name == name) else {
                let known = inputs.iter().map(|input| input.name.clone()).collect::<Vec<_>>();
                let error = verification::Error::NoInput { name, known: known.join(", ") };
                return Err(Failure::from(error).raise(py));
            };
            given.push((name, arrays::from_numpy(&array, input.elem)?));
        }
        let outputs = work::run(py, None, move |_| {
            Ok(runner.lock().unwrap_or_else(PoisonError::into_inner).run(&given)?)
        })?;
        let arrays = PyDict::new(py);
        for (name, array) in outputs {
            arrays.set_item(name, arrays::to_numpy(py, array)?)?;
        }
        Ok(arrays)
    }
}

/// The program `abslrp`; gives its exit code.
#[pyfunction]
fn command_line(py: Python<'_>, arguments: Vec<std::ffi::OsString>) -> u8 {
    py.detach(|| {
        let code = abslrp::command_line(arguments);
        // Python ends the process, and knows nothing of what Rust has still to print.
        let _ = std::io::Write::flush(&mut std::io::stdout());
        code
    })
}

/// Removes what is half written, of a process that is about to exit.
#[pyfunction]
fn abandon(py: Python<'_>) {
    py.detach(abslrp::onnx::transaction::abandon);
}

#[pymodule]
mod _abslrp {
    #[pymodule_export]
    use super::{Session, abandon, command_line, compile, evaluate, inspect, rules, verify};
}
