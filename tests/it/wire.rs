//! Bytes in, the same bytes out; and a second decoder that reads what we write.

use std::{
    fs,
    path::{Path, PathBuf},
};

use libtest_mimic::Trial;
use prost::Message;
use protobuf::Message as _;

use crate::common::{
    Addition, IR_VERSION, LEVELS, Model, ModelProto, Options, compile, distance, each_model,
    explain, feed, fixture, golden, input, inspect, models, onnx, python_packages, run, source_of,
    trials,
};

pub fn trials() -> Vec<Trial> {
    let all = || [models(""), models("forms")].concat();
    let properties = [
        trials![
            models_of_the_onnx_package_keep_their_bytes,
            the_same_input_gives_the_same_bytes,
            a_message_over_the_limit_moves_its_weights_to_a_file,
            external_data_stay_where_they_are_or_are_copied,
            external_paths_do_not_leave_the_directory,
            newer_and_older_versions_are_refused_with_a_way_out,
            the_source_is_never_overwritten,
            an_unsorted_list_of_nodes_is_put_in_order,
        ],
        each_model("wire::bytes", all(), a_round_trip_with_nothing_added_is_byte_identical),
        each_model("wire::decoder", all(), an_independent_decoder_reads_what_we_write),
        each_model("wire::source", all(), everything_of_the_source_is_still_there),
    ];
    properties.into_iter().flatten().collect()
}

fn found_below(directory: &Path, out: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found_below(&path, out);
        } else if path.extension().is_some_and(|e| e == "onnx") {
            out.push(path);
        }
    }
}

fn a_round_trip_with_nothing_added_is_byte_identical(path: &Path) {
    let bytes = fs::read(path).unwrap();
    let proto = ModelProto::decode(bytes.as_slice()).unwrap();
    assert!(proto.encode_to_vec() == bytes, "{} through prost", path.display());
    let written = onnx::encode(&proto, &Addition::default()).concat();
    assert!(written == bytes, "{} through the writer", path.display());
}

fn models_of_the_onnx_package_keep_their_bytes() {
    let mut shipped = Vec::new();
    found_below(&python_packages().join("onnx"), &mut shipped);
    assert!(shipped.len() > 100, "the onnx package ships models");
    for path in shipped {
        a_round_trip_with_nothing_added_is_byte_identical(&path);
    }
}

fn an_independent_decoder_reads_what_we_write(path: &Path) {
    for level in LEVELS {
        let directory = tempfile::tempdir().unwrap();
        let options = Options { level, ..Options::default() };
        let out = compile(path, &options, directory.path());
        let theirs = onnx_protobuf::ModelProto::parse_from_bytes(&fs::read(&out).unwrap());
        let theirs = theirs.unwrap();
        let ours = Model::open(&out).unwrap();
        assert_eq!(theirs.ir_version, ours.proto().ir_version());
        let (a, b) = (theirs.graph.as_ref().unwrap(), ours.graph());
        assert_eq!(a.node.len(), b.node.len());
        for (a, b) in a.node.iter().zip(&b.node) {
            assert_eq!((&a.input, &a.output), (&b.input, &b.output));
            assert_eq!((a.op_type.as_str(), a.name.as_str()), (b.op_type(), b.name()));
            assert_eq!(a.domain, b.domain());
            for (a, b) in a.attribute.iter().zip(&b.attribute) {
                assert_eq!((a.name.as_str(), a.i, a.f), (b.name(), b.i(), b.f()));
                assert_eq!(a.ints, b.ints);
            }
        }
        assert_eq!(a.initializer.len(), b.initializer.len());
        for (a, b) in a.initializer.iter().zip(&b.initializer) {
            assert_eq!((a.name.as_str(), &a.dims), (b.name(), &b.dims));
            assert_eq!(a.raw_data, b.raw_data());
        }
        let names = |outputs: &[onnx_protobuf::ValueInfoProto]| {
            outputs.iter().map(|o| o.name.clone()).collect::<Vec<_>>()
        };
        assert_eq!(names(&a.output), b.output.iter().map(|o| o.name()).collect::<Vec<_>>());
    }
}

fn everything_of_the_source_is_still_there(path: &Path) {
    let directory = tempfile::tempdir().unwrap();
    let source = Model::open(path).unwrap();
    let out = compile(path, &Options::default(), directory.path());
    let explained = Model::open(&out).unwrap();
    // What is left without the additions is the source, to the byte.
    let stripped = source_of(&explained).unwrap();
    assert!(stripped.encode_to_vec() == fs::read(path).unwrap(), "the source is another");
    let added = &explained.graph().node[source.graph().node.len()..];
    assert!(added.iter().all(|node| node.domain().is_empty()));
}

fn the_same_input_gives_the_same_bytes() {
    let path = fixture("alexnet.dynamo20.onnx");
    let [a, b] = [(), ()].map(|()| {
        let directory = tempfile::tempdir().unwrap();
        fs::read(compile(&path, &Options::default(), directory.path())).unwrap()
    });
    assert!(a == b);
}

/// The digits network with its weights in a file of their own.
fn external(directory: &Path) -> PathBuf {
    let model = Model::open(fixture("digits.legacy17.onnx")).unwrap();
    let path = directory.join("digits.onnx");
    model.writer().limit(1000).write(&path).unwrap();
    assert!(fs::metadata(&path).unwrap().len() < 4000);
    assert!(fs::metadata(directory.join("digits.onnx.data")).unwrap().len() > 50_000);
    path
}

fn a_message_over_the_limit_moves_its_weights_to_a_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = external(directory.path());
    let x = feed("x", &input("digits"));
    let whole = run(&fixture("digits.legacy17.onnx"), false, &x, "logits");
    assert_eq!(run(&path, false, &x, "logits"), whole);
}

fn external_data_stay_where_they_are_or_are_copied() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let path = external(here.path());
    let want = golden("digits", "rel.all");
    let x = feed("x", &input("digits"));
    for directory in [here.path(), there.path()] {
        // Twice, because the copy is there the second time.
        for _ in 0..2 {
            let out = compile(&path, &Options::default(), directory);
            assert!(fs::metadata(&out).unwrap().len() < 50_000);
            let r = run(&out, false, &x, "x_relevance");
            assert!(distance(&r, &want) < 2e-3);
        }
    }
    assert_eq!(fs::read_dir(here.path()).unwrap().count(), 3);
    assert_eq!(fs::read_dir(there.path()).unwrap().count(), 2);

    // A file that is something else is not overwritten.
    fs::write(there.path().join("digits.onnx.data"), "precious").unwrap();
    let model = Model::open(&path).unwrap();
    let out = there.path().join("again.onnx");
    let error = model.writer().write(&out);
    assert!(error.unwrap_err().to_string().contains("another file is where"));
    assert!(!out.exists());
}

fn external_paths_do_not_leave_the_directory() {
    let directory = tempfile::tempdir().unwrap();
    let path = external(directory.path());
    let refusal = |location: &str| {
        let mut proto = ModelProto::clone(Model::open(&path).unwrap().proto());
        for tensor in &mut proto.graph.as_mut().unwrap().initializer {
            for entry in tensor.external_data.iter_mut().filter(|e| e.key() == "location") {
                entry.value = Some(location.into());
            }
        }
        let bad = directory.path().join("bad.onnx");
        fs::write(&bad, proto.encode_to_vec()).unwrap();
        Model::open(&bad).unwrap_err().to_string()
    };
    for location in ["../../etc/passwd", "/etc/passwd", "a/../../b", ""] {
        assert!(refusal(location).contains("refused"), "{location}");
    }
    assert!(refusal("missing.bin").contains("No such file"));
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("/etc/passwd", directory.path().join("link.bin")).unwrap();
        assert!(refusal("link.bin").contains("symbolic link"));
    }
}

fn newer_and_older_versions_are_refused_with_a_way_out() {
    let mut proto =
        ModelProto::clone(Model::open(fixture("digits.legacy17.onnx")).unwrap().proto());
    let open = |proto: &ModelProto| {
        Model::decode(proto.encode_to_vec().into(), "m.onnx").unwrap_err().to_string()
    };
    proto.ir_version = Some(IR_VERSION + 1);
    insta::assert_snapshot!(open(&proto), @"m.onnx: IR version 15 is newer than 14, the newest this version of abslrp can write without loss; export with an older ONNX or update abslrp");
    proto.ir_version = Some(8);
    proto.opset_import[0].version = Some(8);
    insta::assert_snapshot!(open(&proto), @"m.onnx: opset 8 is older than 9: convert it first with `onnx.version_converter.convert_version(model, 9)` in Python");
    proto.opset_import[0].version = Some(99);
    assert!(open(&proto).contains("newer than 28"));
    proto.opset_import.clear();
    assert!(open(&proto).contains("imports no version"));
}

fn the_source_is_never_overwritten() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("m.onnx");
    fs::copy(fixture("cancer.legacy17.onnx"), &path).unwrap();
    let model = Model::open(&path).unwrap();
    let error = model.writer().write(&path);
    assert!(error.unwrap_err().to_string().contains("overwrite a file that is read"));
    assert_eq!(fs::read(&path).unwrap(), fs::read(fixture("cancer.legacy17.onnx")).unwrap());
}

fn an_unsorted_list_of_nodes_is_put_in_order() {
    let path = fixture("cancer.legacy17.onnx");
    let mut proto = ModelProto::clone(Model::open(&path).unwrap().proto());
    proto.graph.as_mut().unwrap().node.reverse();
    let model = Model::new(proto, &path).unwrap();
    let units = inspect(&model, &Options::default()).unwrap().units;
    let position = |name| units.iter().position(|unit| unit.node == name).unwrap();
    assert!(position("/2/Relu") < position("/1/Gemm"));
    assert!(explain(&model, &Options::default()).is_ok());
}
