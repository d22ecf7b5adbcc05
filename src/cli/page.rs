//! `abslrp page`

use std::{
    collections::BTreeMap,
    io::{Read, Seek, Write},
    path::{Path, PathBuf},
};

use abslrp::{
    Record,
    onnx::{
        self, DataType, External, Model, Transaction, file,
        parts::tensors,
        schema::{ValueInfoProto, tensor_shape_proto::dimension, type_proto},
        shown::Shown,
    },
    options::{Select, Setting, Target},
    verify::session::Input,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use flate2::{Compression, read::GzEncoder};
use serde::Serialize;

use super::{
    Failure, Report,
    feed::image::{Pixels, Preparation},
    progress,
};

/// Writes a page that runs an explained model in the browser: a folder for any static host, or to be opened as a file
#[derive(clap::Args)]
pub struct Args {
    /// The explained model
    explained: PathBuf,
    /// The folder to write to
    #[arg(short, long, value_name = "DIR")]
    out: PathBuf,
    #[command(flatten)]
    preparation: Preparation,
    /// What classes are called: a text file with a name on each line
    #[arg(long, value_name = "FILE")]
    labels: Option<PathBuf>,
    /// The `tokenizer.json` of a model that reads token ids
    #[arg(long, value_name = "FILE")]
    tokenizer: Option<PathBuf>,
    /// The folder of the npm package onnxruntime-web, which is then part of the page
    /// [default: loaded from a CDN when the page is opened]
    #[arg(long, value_name = "DIR")]
    ort_web: Option<PathBuf>,
    /// The folder of the npm package @huggingface/tokenizers, which is then part of the page
    /// [default: loaded from a CDN when a text is explained]
    #[arg(long, value_name = "DIR")]
    tokenizers_web: Option<PathBuf>,
    /// Write the summary as JSON
    #[arg(long)]
    json: bool,
}

/// The page, as it lies in `web/`.
const STATIC: [(&str, &str); 6] = [
    ("index.html", include_str!("../../web/index.html")),
    ("page.css", include_str!("../../web/page.css")),
    ("page.js", include_str!("../../web/page.js")),
    ("files.js", include_str!("../../web/files.js")),
    ("views.js", include_str!("../../web/views.js")),
    ("worker.js", include_str!("../../web/worker.js")),
];

/// A package of npm that the page uses.
struct Package {
    name: &'static str,
    version: &'static str,
    /// The option that names its folder.
    option: &'static str,
    /// Files in `dist`, each with what the Subresource Integrity of that version is.
    files: &'static [(&'static str, &'static str)],
}

/// The runtime. `ort.webgpu` has kernels for WebGPU, and is twice as large as `ort.wasm`.
const RUNTIME: Package = Package {
    name: "onnxruntime-web",
    version: "1.30.0",
    option: "--ort-web",
    files: &[
        (
            "ort.wasm.min.js",
            "sha384-Bw6URI+Gvoadw0do7/QrSHUC9D1vCYYK5OSqChFyhyV5mzPL4oe2rOAFljAnS8Sq",
        ),
        (
            "ort-wasm-simd-threaded.mjs",
            "sha384-XcXA/MtAf0WpB8e023xQH9CM7RIjiugakT7x99DIwpFf7k56BIFFcAPerIF7FDad",
        ),
        (
            "ort-wasm-simd-threaded.wasm",
            "sha384-vjBJ1z7qrhkTyYsNqKeF6c7N+nOJSU94czEo+tvZcu8G75JparGq9kB+kTnEUNVM",
        ),
        (
            "ort.webgpu.min.js",
            "sha384-6BOUZhMpgaXRZBIj89pTWET0c7xcMe1yHACreuaBy2kUZwLd2tzCmv7MzwZccHYH",
        ),
        (
            "ort-wasm-simd-threaded.asyncify.mjs",
            "sha384-qViEcCGzsR/m8nlQwIsbYh7afN4thuraqFYDQY6huvmoLVoZq/eYawQ1wrv8nnhA",
        ),
        (
            "ort-wasm-simd-threaded.asyncify.wasm",
            "sha384-EPVDLTxuO663dkZO/pcKJF6vOyyfq/5z9FY1oksN0UWFX2ABH4wDDZQHeNoUleWR",
        ),
    ],
};

/// What reads a `tokenizer.json`.
const TOKENIZERS: Package = Package {
    name: "@huggingface/tokenizers",
    version: "0.2.0",
    option: "--tokenizers-web",
    files: &[(
        "tokenizers.min.mjs",
        "sha384-Tl2lMbeE3RCGFLOUGQ7LhvaagysxiOw/9dulz2sD6jxNa1MckRJQBbYdVHhOoqEs",
    )],
};

/// What the page has to know of the model, in `facts.js`.
#[derive(Serialize)]
struct Facts {
    /// What the model is called.
    name: String,
    rule: String,
    /// The explained tensor.
    explained: String,
    /// The classes that are explained.
    target: Target,
    /// The part of the explained tensor that counts, where classes have numbers of their own.
    part: Option<Select>,
    /// How many maps there are of a sample, if there is an axis for them.
    maps: Option<usize>,
    inputs: Vec<FedInput>,
    /// What other inputs are always fed, by name.
    fixed: BTreeMap<String, Fixed>,
    /// The outputs of the source.
    outputs: Vec<String>,
    labels: Vec<String>,
    tokenizer: Option<serde_json::Value>,
    /// Where the model, its external data by their location, and the packages' files are.
    model: Place,
    external: Vec<(String, Place)>,
    packages: Vec<(&'static str, Place)>,
}

/// What an input is always fed.
#[derive(Serialize)]
struct Fixed {
    /// As JavaScript's ONNX Runtime calls types.
    r#type: String,
    values: Vec<f64>,
    shape: Vec<usize>,
}

/// An input of the source.
#[derive(Serialize)]
struct FedInput {
    name: String,
    /// As JavaScript's ONNX Runtime calls types.
    r#type: String,
    /// Sizes, without those that are chosen at run time.
    shape: Vec<Option<usize>>,
    /// The output with its relevance, if there is one.
    relevance: Option<String>,
    /// How a picture becomes the input, if one can.
    picture: Option<Pixels>,
}

/// Where bytes are.
#[derive(Serialize, Clone)]
#[serde(rename_all = "lowercase")]
enum Place {
    /// In scripts beside the page, which browsers load from disk too: each sets `part` to Base64 of a part of the
    /// bytes, compressed by gzip.
    Parts(Vec<String>),
    /// Elsewhere, with the hash that they have to have.
    Address { url: String, integrity: &'static str },
}

impl Args {
    pub fn run(self) -> Result<Report, Failure> {
        let model = Model::open(&self.explained)?;
        let not_explained = || abslrp::verify::Error::NotExplained { path: self.explained.clone() };
        let record = Record::read(&model).ok_or_else(not_explained)?;
        let options = record
            .options()
            .map_err(|why| abslrp::verify::Error::Options { path: self.explained.clone(), why })?;
        let mut folder = Folder::new(&self.out);
        let files = model.files();
        let read = files.iter().chain(&self.labels).chain(&self.tokenizer);
        read.for_each(|path| folder.transaction.protect(path));

        let outputs: Vec<_> = model.graph().output.iter().map(|o| o.name()).collect();
        let [_, _, added_inputs, added_outputs] = record.added;
        let own_inputs = model.graph().input.len().saturating_sub(added_inputs);
        let own_outputs = outputs.len().saturating_sub(added_outputs);
        let refuse = |what| Failure::Image { path: self.explained.clone(), what };
        let inputs = inputs(&model, own_inputs, &outputs, &self.preparation).map_err(refuse)?;
        let (set, inputs): (Vec<_>, Vec<_>) = inputs
            .into_iter()
            .partition(|input| options.set.iter().any(|setting| setting.name == input.name));
        let facts = Facts {
            name: stem(&self.explained),
            rule: options.rule_text(),
            explained: model.metadata("abslrp.output").unwrap_or_default().into(),
            maps: options.target.maps(),
            target: options.target,
            part: options.select,
            inputs,
            fixed: fixed(&set, &options.set, options.on_demand),
            outputs: outputs.iter().take(own_outputs).map(|name| (*name).into()).collect(),
            labels: self.labels.as_deref().map(lines).transpose()?.unwrap_or_default(),
            tokenizer: self.tokenizer.as_deref().map(json).transpose()?,
            model: folder.embed("model", &self.explained)?,
            external: folder.external(&model)?,
            packages: [
                folder.package(&RUNTIME, self.ort_web.as_deref())?,
                folder.package(&TOKENIZERS, self.tokenizers_web.as_deref())?,
            ]
            .concat(),
        };
        folder.write("facts.js", &format!("const facts = {};\n", serde_json::json!(facts)))?;
        for (name, text) in STATIC {
            folder.write(name, text)?;
        }
        let bytes = folder.bytes;
        folder.transaction.commit()?;

        let page = self.out.join("index.html");
        let runtime = match &self.ort_web {
            Some(from) => format!("with onnxruntime-web of {}", from.display()),
            None => format!(
                "onnxruntime-web {} is loaded from a CDN when it is opened; --ort-web makes it part of the page",
                RUNTIME.version
            ),
        };
        let text = format!(
            "{}: {bytes} bytes in the folder; open it in a browser, or copy the folder to any static host\n      \
             {runtime}\n",
            page.display()
        );
        let json = serde_json::json!({ "page": page, "bytes": bytes });
        Ok(Report { text, json, as_json: self.json, holds: true })
    }
}

/// The inputs of the source, which are the first of the model's.
fn inputs(
    model: &Model,
    count: usize,
    outputs: &[&str],
    preparation: &Preparation,
) -> Result<Vec<FedInput>, String> {
    let graph = model.graph();
    let inputs = graph.input.iter().take(count);
    // Before IR version 4, weights are inputs with a default.
    let fed = inputs.filter(|i| graph.initializer.iter().all(|t| t.name() != i.name()));
    fed.map(|info| {
        let input =
            tensor(info).ok_or_else(|| format!("the input {} is no tensor", Shown(info.name())))?;
        let axes = preparation.axes(&input.shape);
        let axes = axes.filter(|[c, ..]| matches!(input.shape.get(*c), Some(None | Some(1 | 3))));
        let relevance = format!("{}_relevance", input.name);
        Ok(FedInput {
            r#type: match input.elem {
                DataType::Float => "float32".into(),
                DataType::Double => "float64".into(),
                other => other.as_str_name().to_lowercase(),
            },
            picture: axes.map(|axes| preparation.pixels(model, &input, axes)),
            relevance: outputs.contains(&relevance.as_str()).then_some(relevance),
            name: input.name,
            shape: input.shape,
        })
    })
    .collect()
}

/// What inputs are fed that are taken for constants, and the one that asks for relevance.
fn fixed(inputs: &[FedInput], settings: &[Setting], on_demand: bool) -> BTreeMap<String, Fixed> {
    let set = settings.iter().filter_map(|setting| {
        let input = inputs.iter().find(|input| input.name == setting.name)?;
        let shape = setting.shape(&input.shape)?;
        let values = setting.elements(shape.iter().product());
        Some((input.name.clone(), Fixed { r#type: input.r#type.clone(), values, shape }))
    });
    let asked = Fixed { r#type: "bool".into(), values: vec![1.0], shape: Vec::new() };
    set.chain(on_demand.then(|| ("explain".into(), asked))).collect()
}

/// What a model says of an input that is a tensor.
fn tensor(info: &ValueInfoProto) -> Option<Input> {
    let type_proto::Value::TensorType(tensor) = info.r#type.as_ref()?.value.as_ref()? else {
        return None;
    };
    let dims = tensor.shape.iter().flat_map(|shape| &shape.dim);
    let (shape, symbols) = dims
        .map(|dim| match &dim.value {
            Some(dimension::Value::DimValue(n)) => (usize::try_from(*n).ok(), String::new()),
            Some(dimension::Value::DimParam(symbol)) => (None, symbol.clone()),
            None => (None, String::new()),
        })
        .unzip();
    Some(Input {
        name: info.name().into(),
        elem: tensor.elem_type().try_into().ok()?,
        shape,
        symbols,
    })
}

/// What a file is called without its extensions, of which `abslrp compile` adds one.
fn stem(path: &Path) -> String {
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    name.strip_suffix(".explained").unwrap_or(&name).into()
}

/// Longer than any list of classes and any vocabulary.
const LONGEST: u64 = 1 << 26;

/// Reads a text file.
fn text(path: &Path) -> Result<String, Failure> {
    let refuse = |what: String| Failure::Image { path: path.into(), what };
    let bytes = file::read(path, LONGEST).map_err(|e| refuse(e.to_string()))?;
    String::from_utf8(bytes).map_err(|e| refuse(e.to_string()))
}

/// Reads the names of classes.
fn lines(path: &Path) -> Result<Vec<String>, Failure> {
    Ok(text(path)?.lines().map(|line| line.trim().into()).collect())
}

/// Reads a tokenizer.
fn json(path: &Path) -> Result<serde_json::Value, Failure> {
    let refuse = |e: serde_json::Error| Failure::Image { path: path.into(), what: e.to_string() };
    serde_json::from_str(&text(path)?).map_err(refuse)
}

/// The folder of a page, of which nothing is seen before all of it is there.
struct Folder {
    transaction: Transaction,
    /// A directory that exists, and where the folder is within it.
    directory: PathBuf,
    within: PathBuf,
    /// How much is in it.
    bytes: u64,
}

impl Folder {
    fn new(path: &Path) -> Self {
        let (directory, within) = match (path.parent(), path.file_name()) {
            (Some(parent), Some(name)) if !path.is_dir() => (parent.into(), name.into()),
            _ => (path.into(), PathBuf::new()),
        };
        Self { transaction: Transaction::default(), directory, within, bytes: 0 }
    }

    fn write(&mut self, name: &str, text: &str) -> Result<(), Failure> {
        let relative = self.within.join(name);
        let mut file = self.transaction.create_below(&self.directory, &relative)?;
        file.write_all(text.as_bytes()).map_err(onnx::Error::io(self.directory.join(relative)))?;
        self.bytes += text.len() as u64;
        Ok(())
    }

    /// Writes what a file holds as scripts.
    fn embed(&mut self, name: &str, path: &Path) -> Result<Place, Failure> {
        /// How much is in one script: no browser's limit of strings, and a multiple of 3, so that
        /// Base64 of a part ends where the part does.
        const PART: u64 = 24 << 20;
        let io = || onnx::Error::io(path);
        let file = file::open(path).map_err(io())?;
        let total = file.metadata().map_err(io())?.len();
        let progress = progress("compressing");
        let mut compressed = GzEncoder::new(file, Compression::default());
        let mut parts = Vec::new();
        loop {
            let mut part = Vec::new();
            Read::by_ref(&mut compressed).take(PART).read_to_end(&mut part).map_err(io())?;
            if part.is_empty() {
                break;
            }
            progress(compressed.get_mut().stream_position().map_err(io())?, total);
            let script = format!("data/{name}.{}.js", parts.len());
            self.write(&script, &format!("part = \"{}\";\n", STANDARD.encode(&part)))?;
            parts.push(script);
        }
        Ok(Place::Parts(parts))
    }

    /// The files of a package: those in a folder, or where they are otherwise.
    fn package(
        &mut self,
        package: &Package,
        from: Option<&Path>,
    ) -> Result<Vec<(&'static str, Place)>, Failure> {
        let place = |&(file, integrity): &(&'static str, &'static str)| match from {
            Some(folder) => {
                let path = folder.join("dist").join(file);
                let missing = |e: Failure| Failure::Image {
                    path: folder.into(),
                    what: format!(
                        "{e}: {} takes the folder of the npm package {}, as {} has it",
                        package.option, package.name, package.version
                    ),
                };
                Ok((file, self.embed(file, &path).map_err(missing)?))
            }
            None => {
                let Package { name, version, .. } = package;
                let url = format!("https://cdn.jsdelivr.net/npm/{name}@{version}/dist/{file}");
                Ok((file, Place::Address { url, integrity }))
            }
        };
        package.files.iter().map(place).collect()
    }

    /// The files of a model's external data, by the location that tensors give.
    fn external(&mut self, model: &Model) -> Result<Vec<(String, Place)>, Failure> {
        let mut places: Vec<(String, Place)> = Vec::new();
        for tensor in tensors(model.proto()).filter(|tensor| External::holds(tensor)) {
            let refuse = |what: String| onnx::Error::Tensor {
                path: model.path().into(),
                tensor: tensor.name().into(),
                what,
            };
            let location = External::location(tensor).map_err(refuse)?;
            let location = location.to_string_lossy().into_owned();
            if places.iter().all(|(known, _)| *known != location) {
                let found = model.external().find(tensor).map_err(refuse)?;
                let place = self.embed(&format!("weights.{}", places.len()), &found.path)?;
                places.push((location, place));
            }
        }
        Ok(places)
    }
}
