//! Serves an explained model with ONNX Runtime alone: one run gives the classes and what counted. Reads
//! the names of `.npy` files with inputs, one a line.
//!
//! ```sh
//! ls *.npy | cargo run --example serve -- explained.onnx
//! ```

use abslrp::verify::runtime::{Locate, locate};
use ndarray::ArrayD;
use ort::{session::Session, value::Tensor};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let model = std::env::args().nth(1).ok_or("usage: serve EXPLAINED")?;
    let environment = ort::init_from(locate(&Locate::default())?)?.build()?;
    let mut session = Session::builder(&environment)?.commit_from_file(model)?;
    for path in std::io::stdin().lines() {
        let path = path?;
        let x: ArrayD<f32> = ndarray_npy::read_npy(&path)?;
        let outputs = session.run(ort::inputs![Tensor::from_array(x)?])?;
        // The source's outputs come first, the relevance of its inputs after them.
        let scores = outputs[0].try_extract_array::<f32>()?;
        let relevance = outputs[outputs.len() - 1].try_extract_array::<f32>()?;
        let class = scores.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
        println!("{path}: class {:?}, Σ R = {}", class.map(|(class, _)| class), relevance.sum());
    }
    Ok(())
}
