//! Makes a model explain itself.
//!
//! ```sh
//! cargo run --example compile -- model.onnx explained.onnx
//! ```

use abslrp::{Options, onnx::Model};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut paths = std::env::args().skip(1);
    let (Some(source), Some(out)) = (paths.next(), paths.next()) else {
        return Err("usage: compile MODEL OUT".into());
    };
    let model = Model::open(source)?;
    let options = Options {
        rule: "epsilon:epsilon=1e-6".parse()?,
        target: "argmax".parse()?,
        ..Options::default()
    };
    let explanation = abslrp::compile(&model, &options)?;
    for (name, ty) in &explanation.summary().relevance {
        println!("{name}: {ty}");
    }
    explanation.write(out)?;
    Ok(())
}
