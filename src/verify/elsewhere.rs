//! The explained model beside its source on another runtime than ONNX Runtime.
//!
//! A process of that runtime's own language runs models, the workers of `runtimes/`: a request and an answer are lines of
//! JSON, tensors are files of raw elements.

use std::{
    fmt::{self, Write as _},
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use half::f16;
use ndarray::{ArrayD, IxDyn};
use serde_json::json;

use super::{
    Error, Moved,
    judge::{self, Evidence, Fault},
    runtime::{self, trust},
    session::Array,
};
use crate::{
    onnx::{
        Addition, DataType, External, Model, parts::tensors, shown::Shown, transaction::Scratch,
    },
    options::Options,
};

/// A runtime besides ONNX Runtime.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Runtime {
    /// OpenVINO, of the first `python3` on the path that has it, on the CPU in float32
    Openvino,
    /// onnxruntime-web (WebAssembly), in Node.js
    Web,
}

impl fmt::Display for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Openvino => "OpenVINO",
            Self::Web => "onnxruntime-web",
        })
    }
}

/// Where else to run.
#[derive(Debug, Clone)]
pub struct Elsewhere {
    /// On what.
    pub runtime: Runtime,
    /// The folder of the npm package onnxruntime-web; that which is installed globally by default.
    pub package: Option<PathBuf>,
}

/// What was found there.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Report {
    /// The runtime and its version.
    pub runtime: String,
    /// Why it does not run the explained model, though it runs the source.
    pub refusal: Option<String>,
    /// The original outputs.
    pub outputs: Vec<OutputReport>,
    /// The added outputs.
    pub relevance: Vec<RelevanceReport>,
    /// Whether every promise holds there.
    pub holds: bool,
}

/// An original output.
#[derive(Debug, Clone, serde::Serialize)]
pub struct OutputReport {
    /// Its name.
    pub name: String,
    /// The largest difference from the source's on that runtime, relative to the largest value.
    pub difference: f64,
    /// How far the source's is from what ONNX Runtime makes of it, in the same way.
    pub runtimes: f64,
    /// Whether the first is as promised.
    pub holds: bool,
}

/// An added output.
#[derive(Debug, Clone, serde::Serialize)]
pub struct RelevanceReport {
    /// Its name.
    pub name: String,
    /// Whether all of it is finite.
    pub finite: bool,
    /// The relative L1 distance from what ONNX Runtime makes of it.
    pub runtimes: Option<f64>,
    /// The relative L1 distance from the other level's on that runtime.
    pub other_level_distance: Option<f64>,
    /// The relative L1 change when inputs and weights change by their rounding.
    pub movement: Option<f64>,
    /// What does not hold.
    pub faults: Vec<Fault>,
    /// Whether that is as promised.
    pub holds: bool,
}

/// What an explained model is verified by: models, what they are fed, and what ONNX Runtime makes of that.
pub(super) struct Models<'m> {
    pub source: Ran<'m>,
    pub explained: Ran<'m>,
    /// How the one was made of the other.
    pub options: &'m Options,
}

/// A model that ONNX Runtime has run.
pub(super) struct Ran<'m> {
    pub model: &'m Model,
    pub feeds: &'m [(String, Array)],
    pub outputs: &'m [(String, Array)],
}

/// The checks of [`verify`](super::verify()) on another runtime, and how far its maps are from ONNX Runtime's.
pub(super) fn verify(how: &Elsewhere, models: &Models<'_>) -> Result<Report, Error> {
    let Models { source, explained, options } = models;
    let mut worker = Worker::start(how, Some(source.model))?;
    let names = |model: &Model| -> Vec<_> {
        model.graph().output.iter().map(|o| o.name().to_string()).collect()
    };
    let (originals, names) = (names(source.model), names(explained.model));
    let bytes = |model: &Model| super::bytes(model.proto(), &Addition::default());
    let of_source = worker
        .run(&bytes(source.model), &originals, source.feeds)
        .map_err(|why| Error::OtherRefuses { runtime: worker.name.clone(), why })?;
    let there = match worker.run(&bytes(explained.model), &names, explained.feeds) {
        Ok(there) => there,
        Err(why) => return Ok(Report::refused(worker.name.clone(), why)),
    };
    // What is not run of these is not measured: the model itself runs.
    let (bytes, feeds, moved) =
        super::rounded(explained.model.proto(), &Addition::default(), explained.feeds);
    let moved = Some(moved).filter(|moved| *moved != Moved::default());
    let rounded = moved.and_then(|_| worker.run(&bytes, &names, &feeds).ok());
    let (_, bytes) = super::other_level(source.model, options)?;
    let other = worker.run(&bytes, &names, explained.feeds).ok();

    let find = |from: &Numbers, name: &str| {
        from.iter().find(|(known, _)| known == name).map(|(_, numbers)| numbers.clone())
    };
    let (mut outputs, mut relevance) = (Vec::new(), Vec::new());
    for (name, here) in explained.outputs {
        let Some(numbers) = find(&there, name) else {
            let why = format!("it gives no {}", Shown(name));
            return Ok(Report::refused(worker.name.clone(), why));
        };
        if let Some(own) = find(&of_source, name).filter(|_| originals.contains(name)) {
            let reference = super::find(source.outputs, name);
            let difference = super::apart(&numbers, &own);
            outputs.push(OutputReport {
                name: name.clone(),
                difference,
                runtimes: reference.map_or(f64::INFINITY, |a| super::apart(&own, &a.numbers())),
                holds: judge::within(difference, FUSION),
            });
            continue;
        }
        let distance =
            |from: &Option<Numbers>| Some(judge::distance(&numbers, &find(from.as_ref()?, name)?));
        let evidence = Evidence {
            finite: numbers.iter().all(|v| v.is_finite()),
            movement: distance(&rounded),
            levels: distance(&other),
        };
        let runtimes = judge::distance(&here.numbers(), &numbers);
        let mut faults = evidence.faults();
        if !judge::within(runtimes, judge::RUNTIMES) {
            faults.push(Fault::Runtimes { apart: runtimes });
        }
        relevance.push(RelevanceReport {
            name: name.clone(),
            finite: evidence.finite,
            runtimes: Some(runtimes).filter(|n| n.is_finite()),
            other_level_distance: evidence.levels.filter(|n| n.is_finite()),
            movement: evidence.movement.filter(|n| n.is_finite()),
            holds: faults.is_empty(),
            faults,
        });
    }
    let holds = outputs.iter().all(|o| o.holds) && relevance.iter().all(|r| r.holds);
    Ok(Report { runtime: worker.name.clone(), refusal: None, outputs, relevance, holds })
}

/// What a model gives, by name.
type Numbers = Vec<(String, ArrayD<f64>)>;

/// A process that runs models on a runtime.
struct Worker {
    /// The runtime and its version.
    pub name: String,
    child: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
    /// Where models and tensors lie, with the external data of `model` beside them.
    place: Scratch,
    external: Vec<(String, PathBuf)>,
}

/// How far original outputs may move there, relative to the largest: an added consumer can break a
/// fusion.
const FUSION: f64 = 1e-3;

impl Report {
    /// Of a runtime that runs the source and not the explained model.
    fn refused(runtime: String, why: String) -> Self {
        let (outputs, relevance) = (Vec::new(), Vec::new());
        Self { runtime, refusal: Some(why), outputs, relevance, holds: false }
    }

    /// The report for people.
    pub fn text(&self, other_level: Option<&str>) -> String {
        let mark = |holds: bool| if holds { "ok  " } else { "FAIL" };
        let number = |n: Option<f64>| n.map_or("not finite".into(), |n| format!("{n:.1e}"));
        let mut out = format!("on {}, beside ONNX Runtime\n", self.runtime);
        if let Some(why) = &self.refusal {
            let _ = writeln!(out, "FAIL  refused, though it runs the source: {}", Shown(why));
        }
        for output in &self.outputs {
            let _ = writeln!(
                out,
                "{}  output {}: {:.1e} from the source's, which is {:.1e} from ONNX Runtime's",
                mark(output.holds),
                Shown(&output.name),
                output.difference,
                output.runtimes
            );
        }
        for r in &self.relevance {
            let finite = if r.finite { "finite" } else { "NOT finite" };
            let level = other_level.filter(|_| r.other_level_distance.is_some());
            let level = level.map_or(String::new(), |level| {
                format!(", {} from {level}", number(r.other_level_distance))
            });
            let moves = r.movement.map_or(String::new(), |by| format!(", moves by {by:.1e}"));
            let _ = writeln!(
                out,
                "{}  {}: {finite}, {} from ONNX Runtime's{level}{moves}",
                mark(r.holds),
                Shown(&r.name),
                number(r.runtimes)
            );
        }
        out
    }
}

/// The name and version of a runtime, which is started for that.
pub fn version(how: &Elsewhere) -> Result<String, Error> {
    Ok(Worker::start(how, None)?.name.clone())
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Worker {
    /// Starts the runtime for models that share the external data of `model`, if any is to run.
    pub fn start(how: &Elsewhere, model: Option<&Model>) -> Result<Self, Error> {
        let runtime = how.runtime;
        let refuse = |why: String| Error::NoOther { runtime, why };
        let place = Scratch::within(&std::env::temp_dir()).map_err(|e| refuse(e.to_string()))?;
        let mut command = match runtime {
            Runtime::Openvino => openvino(&place)?,
            Runtime::Web => web(&place, how.package.as_deref())?,
        };
        let external = model.map_or(Ok(Vec::new()), |model| beside(model, &place));
        let external = external.map_err(refuse)?;
        let child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let mut child = child.map_err(|e| refuse(e.to_string()))?;
        let (Some(requests), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(refuse("it has no pipes".into()));
        };
        let answers = BufReader::new(answers);
        let mut worker = Self { name: String::new(), child, requests, answers, place, external };
        let hello = worker.answer().map_err(|why| refuse(format!("it does not start: {why}")))?;
        worker.name = format!("{runtime} {}", hello["version"].as_str().unwrap_or_default());
        Ok(worker)
    }

    /// The next line that it says, unless that is of an error.
    fn answer(&mut self) -> Result<serde_json::Value, String> {
        let mut line = String::new();
        self.answers.read_line(&mut line).map_err(|e| e.to_string())?;
        let answer: serde_json::Value =
            serde_json::from_str(&line).map_err(|_| String::from("it crashed"))?;
        match answer["error"].as_str() {
            // The last of several lines says what is wrong, and all are shown in one.
            Some(error) => Err(error.split_whitespace().collect::<Vec<_>>().join(" ")),
            None => Ok(answer),
        }
    }

    /// What a model gives, by name, or why it does not run.
    pub fn run(
        &mut self,
        model: &[u8],
        outputs: &[String],
        feeds: &[(String, Array)],
    ) -> Result<Numbers, String> {
        let folder = self.place.path().to_path_buf();
        let write = |name: &str, bytes: &[u8]| {
            let path = folder.join(name);
            std::fs::write(&path, bytes).map(|()| path).map_err(|e| e.to_string())
        };
        let path = write("model.onnx", model)?;
        let inputs = feeds.iter().enumerate().map(|(i, (name, array))| {
            let (ty, bytes) = raw(array).ok_or_else(|| {
                format!("inputs of type {} cannot be given to it", array.elem().short_name())
            })?;
            let file = write(&format!("in{i}"), &bytes)?;
            Ok(json!({"name": name, "type": ty, "shape": array.shape(), "file": file}))
        });
        let inputs = inputs.collect::<Result<Vec<_>, String>>()?;
        let request = json!({
            "model": path, "inputs": inputs, "outputs": outputs, "folder": folder, "external": self.external,
        });
        writeln!(self.requests, "{request}").map_err(|e| e.to_string())?;
        let answer = self.answer()?;
        let given = answer["outputs"].as_array().into_iter().flatten();
        given
            .map(|output| {
                let text = |key: &str| output[key].as_str().unwrap_or_default();
                let shape: Vec<usize> =
                    serde_json::from_value(output["shape"].clone()).map_err(|e| e.to_string())?;
                let bytes = std::fs::read(text("file")).map_err(|e| e.to_string())?;
                let numbers = numbers(text("type"), &bytes)
                    .ok_or_else(|| format!("it gives {} of type {}", text("name"), text("type")))?;
                let array =
                    ArrayD::from_shape_vec(IxDyn(&shape), numbers).map_err(|e| e.to_string())?;
                Ok((text("name").to_string(), array))
            })
            .collect()
    }
}

/// Elements as they lie in memory, with what NumPy calls their type; nothing where it has no name.
fn raw(array: &Array) -> Option<(&'static str, Vec<u8>)> {
    let numbers = array.numbers();
    macro_rules! bytes {
        ($type:ty) => {
            numbers.iter().flat_map(|v| (*v as $type).to_le_bytes()).collect()
        };
    }
    Some(match array.elem() {
        DataType::Float => ("float32", bytes!(f32)),
        DataType::Double => ("float64", bytes!(f64)),
        DataType::Float16 => {
            ("float16", numbers.iter().flat_map(|v| f16::from_f64(*v).to_le_bytes()).collect())
        }
        DataType::Int64 => ("int64", bytes!(i64)),
        DataType::Int32 => ("int32", bytes!(i32)),
        DataType::Int16 => ("int16", bytes!(i16)),
        DataType::Int8 => ("int8", bytes!(i8)),
        DataType::Uint64 => ("uint64", bytes!(u64)),
        DataType::Uint32 => ("uint32", bytes!(u32)),
        DataType::Uint16 => ("uint16", bytes!(u16)),
        DataType::Uint8 => ("uint8", bytes!(u8)),
        DataType::Bool => ("bool", bytes!(u8)),
        _ => return None,
    })
}

/// Elements of a type as NumPy calls it, as numbers.
fn numbers(ty: &str, bytes: &[u8]) -> Option<Vec<f64>> {
    macro_rules! of {
        ($type:ty, $size:literal, $number:expr) => {
            bytes
                .as_chunks::<$size>()
                .0
                .iter()
                .map(|b| $number(<$type>::from_le_bytes(*b)))
                .collect()
        };
    }
    Some(match ty {
        "float32" => of!(f32, 4, f64::from),
        "float64" => of!(f64, 8, |v| v),
        "float16" => of!(f16, 2, f64::from),
        "int64" => of!(i64, 8, |v| v as f64),
        "int32" => of!(i32, 4, f64::from),
        "int16" => of!(i16, 2, f64::from),
        "int8" => of!(i8, 1, f64::from),
        "uint64" => of!(u64, 8, |v| v as f64),
        "uint32" => of!(u32, 4, f64::from),
        "uint16" => of!(u16, 2, f64::from),
        "uint8" | "bool" => of!(u8, 1, f64::from),
        _ => return None,
    })
}

/// Lets the external data of a model lie beside models in `place`, too: their locations, and where they are.
fn beside(model: &Model, place: &Scratch) -> Result<Vec<(String, PathBuf)>, String> {
    let mut files: Vec<(String, PathBuf)> = Vec::new();
    for tensor in tensors(model.proto()).filter(|tensor| External::holds(tensor)) {
        let location = External::location(tensor)?;
        let name = location.to_string_lossy().into_owned();
        if files.iter().any(|(known, _)| *known == name) {
            continue;
        }
        let found = model.external().find(tensor)?.path;
        let to = place.path().join(&location);
        let parent = to.parent().unwrap_or(place.path());
        // No symbolic link, which runtimes may not follow out of a model's folder.
        let link = std::fs::create_dir_all(parent)
            .and_then(|()| std::fs::hard_link(&found, &to))
            .or_else(|_| std::fs::copy(&found, &to).map(drop));
        link.map_err(|e| format!("{}: {e}", found.display()))?;
        files.push((name, found));
    }
    Ok(files)
}

/// The worker of OpenVINO, in the first Python that has it.
fn openvino(place: &Scratch) -> Result<Command, Error> {
    // What the user has installed for himself is welcome, as where ONNX Runtime is looked for.
    const FIND: &str = "import importlib.util as u, site, sys; sys.path.append(site.getusersitepackages()); \
                        sys.exit(not (u.find_spec('openvino') and u.find_spec('numpy')))";
    const RUN: &str = "import runpy, site, sys; sys.path.append(site.getusersitepackages()); \
                       sys.argv[1:] = ['openvino']; runpy.run_path('worker.py', run_name='__main__')";
    let refuse = |why: &str| Error::NoOther { runtime: Runtime::Openvino, why: why.into() };
    let has = |path: &PathBuf| {
        let find = runtime::python(path, place).args(["-c", FIND]).output();
        find.is_ok_and(|output| output.status.success())
    };
    let python = runtime::pythons().find(has);
    let python = python.ok_or_else(|| {
        refuse("no python3 on the path has it; `python3 -m pip install openvino` installs it")
    })?;
    let worker =
        std::fs::write(place.path().join("worker.py"), include_str!("../../runtimes/worker.py"));
    worker.map_err(|e| refuse(&e.to_string()))?;
    let mut command = runtime::python(&python, place);
    command.args(["-c", RUN]);
    Ok(command)
}

/// The worker of onnxruntime-web, in Node.js.
fn web(place: &Scratch, package: Option<&Path>) -> Result<Command, Error> {
    let refuse = |why: String| Error::NoOther { runtime: Runtime::Web, why };
    let node = runtime::programs("node").next();
    let node = node.ok_or_else(|| refuse("there is no Node.js on the path; install it".into()))?;
    let package = match package {
        Some(package) => package.canonicalize().ok(),
        None => globally(&node),
    };
    let library = package.filter(|package| package.join("dist/ort.node.min.js").is_file());
    let package = library.ok_or_else(|| {
        refuse(
            "its package is not there; `npm install onnxruntime-web` fetches it, and --ort-web names its folder in node_modules"
                .into(),
        )
    })?;
    if let Some(why) = trust::distrust(&package) {
        return Err(Error::Untrusted { path: package, why });
    }
    let worker = place.path().join("worker.js");
    std::fs::write(&worker, include_str!("../../runtimes/worker.js"))
        .map_err(|e| refuse(e.to_string()))?;
    let mut command = Command::new(node);
    // Options in the environment could have Node.js load more than this.
    command.env_remove("NODE_OPTIONS").env_remove("NODE_PATH").current_dir(place.path());
    command.arg(worker).arg(package);
    Ok(command)
}

/// Where npm puts the package for everybody: beside the program, unless it was told otherwise.
fn globally(node: &Path) -> Option<PathBuf> {
    let prefix = node.canonicalize().ok()?;
    let prefix = prefix.parent()?;
    let unix = prefix.parent().map(|prefix| prefix.join("lib/node_modules"));
    let found = unix.into_iter().chain([prefix.join("node_modules")]);
    found.map(|modules| modules.join("onnxruntime-web")).find(|package| package.is_dir())
}
