//! The checked-in wire types are what `prost-build` makes of `proto/onnx.proto`.

use std::path::Path;

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

#[test]
fn checked_in_types_match_the_schema() {
    let checked_in = std::fs::read_to_string("src/onnx/schema.rs").expect("src/onnx/schema.rs");
    assert!(
        checked_in == generated(),
        "src/onnx/schema.rs differs from proto/onnx.proto: run `cargo test --test schema -- --ignored`"
    );
}

#[test]
#[ignore = "writes src/onnx/schema.rs; run it after a change of proto/onnx.proto"]
fn regenerate() {
    std::fs::write(Path::new("src/onnx/schema.rs"), generated()).expect("write src/onnx/schema.rs");
}
