//! What an explanation costs, as ratios measured in one run: machines are noisy, and a ratio of two
//! measurements that alternate says more than either.
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
    lrp::{self, Options},
    onnx::{self, Model},
    passes::Level,
    verify::{
        runtime::Locate,
        session::{Device, Runner, Source, sample},
    },
};

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

fn compile(path: &Path, level: Level, out: &Path) -> Result<()> {
    let model = Model::open(path)?;
    let addition = lrp::explain(&model, &Options { level, ..Options::default() })?.addition;
    onnx::write(&model, &addition, out, onnx::PROTOBUF_LIMIT, &|_, _| ())?;
    Ok(())
}

fn ratios(path: &Path) -> Result<()> {
    let directory = tempfile::tempdir_in(path.parent().unwrap_or(Path::new(".")))?;
    let at = |name: &str| directory.path().join(name);
    let levels = [(Level::O0, at("O0.onnx")), (Level::O2, at("O2.onnx"))];
    for (level, out) in &levels {
        compile(path, *level, out)?;
    }
    let (mut compiling, mut copying) = (Vec::new(), Vec::new());
    for _ in 0..5 {
        compiling.push(seconds(|| compile(path, Level::O2, &at("again.onnx")))?);
        copying.push(seconds(|| Ok(fs::copy(path, at("copy.onnx")).map(drop)?))?);
    }
    let growth = fs::metadata(&levels[1].1)?.len() as f64 / fs::metadata(path)?.len() as f64;
    println!("{}", path.display());
    println!(
        "  compile ÷ copy {:.2} ({:.3} s), explained ÷ source {growth:.4} bytes",
        median(compiling.clone()) / median(copying),
        median(compiling)
    );

    let runner =
        |path: &Path| Runner::new(&Source::File(path), true, Device::Cpu, &Locate::default());
    let mut runners = vec![runner(path)?];
    for (_, out) in &levels {
        runners.push(runner(out)?);
    }
    let inputs = runners[0].inputs();
    let mut feeds = Vec::new();
    for (seed, (name, elem, shape, _)) in inputs.into_iter().enumerate() {
        let shape: Vec<_> = shape.iter().map(|&n| usize::try_from(n).unwrap_or(1)).collect();
        feeds.push((name, sample(&shape, elem, seed as u64)?));
    }
    let mut times = vec![Vec::new(); runners.len()];
    for round in 0..12 {
        for (runner, times) in runners.iter_mut().zip(&mut times) {
            let time = seconds(|| Ok(runner.run(&feeds).map(drop)?))?;
            if round > 1 {
                times.push(time);
            }
        }
    }
    let plain = median(times.remove(0));
    print!("  batch 1: plain {:.2} ms", plain * 1e3);
    for ((level, _), times) in levels.iter().zip(times) {
        print!(", {level} ÷ plain {:.2}", median(times) / plain);
    }
    println!();
    Ok(())
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
    Ok(())
}
