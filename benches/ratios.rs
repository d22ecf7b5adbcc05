//! What an explanation costs, as ratios measured in one run: machines are noisy, and a ratio of two
//! measurements that alternate says more than either. `benches/table.py` compares with `PyTorch`.
//!
//! ```sh
//! cargo run --release --example vgg16 -- target/vgg16.onnx
//! cargo bench                                  # all fixtures it knows, and target/vgg16.onnx
//! cargo bench -- model.onnx another.onnx
//! ```

use std::{
    fs,
    path::{Path, PathBuf},
    time::Instant,
};

use abslrp::{
    Options,
    onnx::{
        Model,
        schema::{ModelProto, NodeProto},
    },
    verify::{
        bench::{Request, bench},
        runtime::Locate,
        session::Device,
    },
};
use prost::Message;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn seconds(work: impl FnOnce() -> Result<()>) -> Result<f64> {
    let begin = Instant::now();
    work()?;
    Ok(begin.elapsed().as_secs_f64())
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn compile(path: &Path, out: &Path) -> Result<()> {
    let model = Model::open(path)?;
    abslrp::compile(&model, &Options::default())?.write(out)?;
    Ok(())
}

fn ratios(path: &Path) -> Result<()> {
    let directory = tempfile::tempdir_in(path.parent().unwrap_or(Path::new(".")))?;
    let at = |name: &str| directory.path().join(name);
    let (mut compiling, mut copying) = (Vec::new(), Vec::new());
    for _ in 0..5 {
        // Into a new file each, as freeing an old one takes its time too.
        compiling.push(seconds(|| compile(path, &at("compiled.onnx")))?);
        fs::remove_file(at("compiled.onnx"))?;
        copying.push(seconds(|| Ok(fs::copy(path, at("copy.onnx")).map(drop)?))?);
        fs::remove_file(at("copy.onnx"))?;
    }
    let compiling = median(compiling);
    println!("compile ÷ copy {:.2} ({compiling:.3} s)", compiling / median(copying));
    let request = Request {
        options: Options::default(),
        batch: 1,
        size: 224,
        rounds: 12,
        threads: None,
        device: Device::Cpu,
        profile: false,
        runtime: Locate { fetch: Some(|what| eprintln!("{what}")), ..Locate::default() },
    };
    print!("{}", bench(path, &request, directory.path())?.text());
    Ok(())
}

/// A network of many layers, which shows whether anything takes more than its share of time.
fn chain(layers: usize) -> Result<Model> {
    let mut proto = ModelProto::clone(Model::open("fixtures/forms/gemm.op17.onnx")?.proto());
    let graph = proto.graph.as_mut().ok_or("no graph")?;
    for i in 0..layers {
        let last = if i == 0 { "y".into() } else { format!("y{}", i - 1) };
        graph.node.push(NodeProto {
            op_type: Some(["Relu", "Tanh"][i % 2].into()),
            input: vec![last],
            output: vec![format!("y{i}")],
            ..NodeProto::default()
        });
    }
    if let Some(output) = graph.output.first_mut() {
        output.name = Some(format!("y{}", layers - 1));
    }
    Ok(Model::decode(proto.encode_to_vec().into(), "chain.onnx")?)
}

fn main() -> Result<()> {
    let named: Vec<_> =
        std::env::args().skip(1).filter(|a| a != "--bench").map(PathBuf::from).collect();
    let known =
        ["target/vgg16.onnx", "fixtures/vgg.legacy17.onnx", "fixtures/digits.legacy17.onnx"];
    let paths = if named.is_empty() { known.map(PathBuf::from).to_vec() } else { named };
    for path in paths.iter().filter(|path| path.exists()) {
        ratios(path)?;
    }
    for layers in [1_000, 10_000] {
        let model = chain(layers)?;
        let time = seconds(|| Ok(abslrp::compile(&model, &Options::default()).map(drop)?))?;
        println!("{layers} nodes are explained in {time:.3} s");
    }
    Ok(())
}
