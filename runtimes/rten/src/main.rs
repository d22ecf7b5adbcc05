//! Speaks for rten: see `Runtime` in `../matrix.py` for what is said. Requests and answers are lines of JSON, tensors are
//! files of raw elements. rten has no integers of 64 bits and no booleans: both are of 32 bits here.

use std::{
    error::Error,
    fs,
    io::{BufRead, Write, stdin, stdout},
    panic,
};

use rten::{Model, Value};
use rten_tensor::{Layout, Tensor, prelude::*};
use serde::{Deserialize, Serialize};

/// The version that `Cargo.toml` asks for.
const VERSION: &str = "0.27.0";

#[derive(Deserialize)]
struct Request {
    model: String,
    inputs: Vec<Array>,
    outputs: Vec<String>,
    folder: String,
}

#[derive(Serialize, Deserialize)]
struct Array {
    name: String,
    r#type: String,
    shape: Vec<usize>,
    file: String,
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Answer {
    Outputs(Vec<Array>),
    Error(String),
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut out = stdout().lock();
    writeln!(out, "{}", serde_json::json!({ "version": VERSION }))?;
    out.flush()?;
    for line in stdin().lock().lines() {
        let request = serde_json::from_str(&line?)?;
        // A panic of rten's is an answer too.
        let answer = match panic::catch_unwind(|| run(&request)) {
            Ok(Ok(outputs)) => Answer::Outputs(outputs),
            Ok(Err(error)) => Answer::Error(error.to_string()),
            Err(_) => Answer::Error("rten panicked".into()),
        };
        writeln!(out, "{}", serde_json::to_string(&answer)?)?;
        out.flush()?;
    }
    Ok(())
}

fn run(request: &Request) -> Result<Vec<Array>, Box<dyn Error>> {
    let model = Model::load_file(&request.model)?;
    let feed = |array: &Array| Ok((model.node_id(&array.name)?, read(array)?.into()));
    let feeds = request.inputs.iter().map(feed).collect::<Result<Vec<_>, Box<dyn Error>>>()?;
    let ids = request.outputs.iter().map(|name| model.node_id(name));
    let values = model.run(feeds, &ids.collect::<Result<Vec<_>, _>>()?, None)?;
    let named = request.outputs.iter().zip(values).enumerate();
    named
        .map(|(at, (name, value))| write(name, &value, format!("{}/out{at}", request.folder)))
        .collect()
}

/// What is fed.
fn read(array: &Array) -> Result<Value, Box<dyn Error>> {
    let bytes = fs::read(&array.file)?;
    let shape = array.shape.as_slice();
    Ok(match array.r#type.as_str() {
        "float32" => Tensor::from_data(shape, elements(&bytes, f32::from_le_bytes)).into(),
        "int32" => Tensor::from_data(shape, elements(&bytes, i32::from_le_bytes)).into(),
        "int64" => {
            Tensor::from_data(shape, elements(&bytes, |b| i64::from_le_bytes(b) as i32)).into()
        }
        "bool" => Tensor::from_data(shape, elements(&bytes, |[b]| i32::from(b))).into(),
        "int8" => Tensor::from_data(shape, elements(&bytes, i8::from_le_bytes)).into(),
        "uint8" => Tensor::from_data(shape, bytes).into(),
        other => return Err(format!("rten has no type {other}").into()),
    })
}

fn elements<T, const WIDTH: usize>(bytes: &[u8], of: impl Fn([u8; WIDTH]) -> T) -> Vec<T> {
    bytes.as_chunks().0.iter().map(|&chunk| of(chunk)).collect()
}

/// What came out, in a file.
fn write(name: &str, value: &Value, file: String) -> Result<Array, Box<dyn Error>> {
    let (r#type, shape, bytes) = match value {
        Value::FloatTensor(t) => ("float32", t.shape(), raw(t, f32::to_le_bytes)),
        Value::Int32Tensor(t) => ("int32", t.shape(), raw(t, i32::to_le_bytes)),
        Value::Int8Tensor(t) => ("int8", t.shape(), raw(t, i8::to_le_bytes)),
        Value::UInt8Tensor(t) => ("uint8", t.shape(), raw(t, u8::to_le_bytes)),
        _ => return Err("what is no tensor".into()),
    };
    fs::write(&file, bytes)?;
    Ok(Array { name: name.into(), r#type: r#type.into(), shape: shape.to_vec(), file })
}

fn raw<T: Copy, const WIDTH: usize>(tensor: &Tensor<T>, of: impl Fn(T) -> [u8; WIDTH]) -> Vec<u8> {
    tensor.iter().flat_map(|&element| of(element)).collect()
}
