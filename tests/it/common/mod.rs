//! What suites share: the library by the names that they use, fixtures, and how they are run.

pub mod trial;

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::{Mutex, OnceLock, PoisonError},
};

// The one place that knows where things lie in the library.
pub use abslrp::{
    Options, compile as explain, inspect,
    onnx::{
        self, Addition, DataType, IR_VERSION, Model,
        attribute::{float, int, ints, string},
        schema::{
            AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto,
            StringStringEntryProto, TensorProto, TensorShapeProto, TypeProto, ValueInfoProto,
            tensor_shape_proto::{Dimension, dimension},
            type_proto,
        },
        text,
    },
    options::{Canonize, Init, Level, Normalize, Reduce, Target},
    passes,
    rules::{self, Composite},
    source_of,
    verify::{
        runtime::Locate,
        session::{Array, Device, Input, Runner, Source, sample},
    },
};
use ndarray::ArrayD;
use ndarray_npy::NpzReader;
pub(crate) use trial::trials;
pub use trial::{each, each_model, trial};

pub const LEVELS: [Level; 2] = [Level::O0, Level::O2];

/// The rule of the notebook, which the goldens of `fixtures/make.py` follow.
pub fn notebook() -> Options {
    Options { rule: "abslrp-notebook".parse().unwrap(), ..Options::default() }
}

pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name)
}

/// All models in a folder below `fixtures`, by name.
pub fn models(folder: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(fixture(folder)).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|e| e == "onnx"));
    paths.sort();
    assert!(!paths.is_empty());
    paths
}

pub fn stem(path: &Path) -> String {
    path.file_stem().unwrap().to_str().unwrap().to_string()
}

/// A float64 array of a golden file.
pub fn golden(name: &str, array: &str) -> ArrayD<f64> {
    let file = std::fs::File::open(fixture(&format!("{name}.npz"))).unwrap();
    NpzReader::new(file).unwrap().by_name(&format!("{array}.npy")).unwrap()
}

/// The float32 inputs of a golden file.
pub fn input(name: &str) -> ArrayD<f32> {
    let file = std::fs::File::open(fixture(&format!("{name}.npz"))).unwrap();
    NpzReader::new(file).unwrap().by_name("in.npy").unwrap()
}

/// Writes the explained model of `path` into `directory`.
pub fn compile(path: &Path, options: &Options, directory: &Path) -> PathBuf {
    let model = Model::open(path).unwrap();
    let explanation =
        explain(&model, options).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let out = directory.join("explained.onnx");
    explanation.write(&out).unwrap();
    out
}

/// Where ONNX Runtime is; it is fetched where there is none.
pub fn runtime() -> Locate {
    Locate { fetch: Some(|what| eprintln!("{what}")), ..Locate::default() }
}

pub fn runner(path: &Path, optimise: bool) -> Runner {
    Runner::new(&Source::File(path), optimise, Device::Cpu, &runtime())
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// One output of a model, as numbers.
pub fn run(path: &Path, optimise: bool, feeds: &[(String, Array)], output: &str) -> ArrayD<f64> {
    let outputs = runner(path, optimise).run(feeds).unwrap();
    let found = outputs.iter().find(|(name, _)| name == output);
    found.unwrap_or_else(|| panic!("no output {output}")).1.numbers()
}

pub fn feed(name: &str, array: &ArrayD<f32>) -> Vec<(String, Array)> {
    vec![(name.to_string(), Array::Float32(array.clone()))]
}

/// The relative L1 distance.
pub fn distance(a: &ArrayD<f64>, b: &ArrayD<f64>) -> f64 {
    assert_eq!(a.shape(), b.shape());
    let apart: f64 = (a - b).iter().map(|v| v.abs()).sum();
    apart / b.iter().map(|v| v.abs()).sum::<f64>().max(f64::MIN_POSITIVE)
}

/// A folder with the Python package `onnx` and what it needs, installed with pip once.
pub fn python_packages() -> PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    let install = || {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("python-onnx-1.23.2");
        if !folder.is_dir() {
            let staging = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
            let staged = staging.path().join("packages");
            let pip =
                ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target"];
            let output =
                Command::new("python3").args(pip).arg(&staged).arg("onnx==1.23.2").output();
            let output = output.expect("python3");
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            // Another run of the tests may have been faster.
            let _ = std::fs::rename(&staged, &folder);
        }
        folder
    };
    FOLDER.get_or_init(install).clone()
}

/// The graph that the compiler adds to a model, as text: the source is not repeated, and what is
/// recorded of the tool and its options is left out.
pub fn added(model: &Model, options: &Options) -> String {
    let addition = explain(model, options).unwrap().addition().clone();
    let graph = GraphProto {
        node: addition.nodes,
        initializer: addition.initializers,
        input: addition.inputs,
        output: addition.outputs,
        ..GraphProto::default()
    };
    let message = ModelProto {
        ir_version: model.proto().ir_version,
        opset_import: model.proto().opset_import.clone(),
        graph: Some(graph),
        ..ModelProto::default()
    };
    text::model(&message, model.external())
}

/// Where snapshots are.
pub fn snapshots() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots")
}

/// Compares a text with a file in [`snapshots`]. `snapshots::every_file_belongs_to_a_trial` has to
/// know of it.
pub fn snapshot(name: &str, text: &str) {
    // Differences are printed line by line, which should not be between the lines of another.
    static ALONE: Mutex<()> = Mutex::new(());
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(snapshots());
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, text));
}
