//! The checked-in wire types are what `prost-build` makes of `proto/onnx.proto`.

use std::path::Path;

use libtest_mimic::Trial;

use crate::common::trials;

pub fn trials() -> Vec<Trial> {
    let mut trials = trials![checked_in_types_match_the_schema];
    // What writes the types is there to be asked for.
    trials.extend(trials![regenerate].into_iter().map(|trial| trial.with_ignored_flag(true)));
    trials
}

/// The Rust source that the vendored schema generates.
fn generated() -> String {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let descriptors =
        protox::compile(["proto/onnx.proto"], ["proto"]).expect("the schema compiles");
    prost_build::Config::new()
        .out_dir(dir.path())
        .bytes(["."])
        .disable_comments(["."])
        .compile_fds(descriptors)
        .expect("prost generates the types");
    std::fs::read_to_string(dir.path().join("onnx.rs")).expect("the generated file")
}

fn checked_in_types_match_the_schema() {
    let checked_in = std::fs::read_to_string("src/onnx/schema.rs").expect("src/onnx/schema.rs");
    assert!(
        checked_in == generated(),
        "src/onnx/schema.rs differs from proto/onnx.proto: run `cargo test --test it schema -- --ignored`"
    );
}

/// Writes the types; run it after a change of `proto/onnx.proto`.
fn regenerate() {
    std::fs::write(Path::new("src/onnx/schema.rs"), generated()).expect("write src/onnx/schema.rs");
}
