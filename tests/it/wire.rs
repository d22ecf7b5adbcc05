//! Bytes in, the same bytes out; and a second decoder that reads what we write.

use std::{
    fs,
    path::{Path, PathBuf},
};

use libtest_mimic::Trial;
use prost::Message;
use protobuf::Message as _;

use crate::common::{
    Addition, AttributeProto, DataType, IR_VERSION, LEVELS, Model, ModelProto, NodeProto, Options,
    StringStringEntryProto, TensorProto, compile, distance, each_model, explain, feed, fixture,
    golden, input, inspect, models, onnx, python_packages, run, sample, source_of, string, trials,
};

pub fn trials() -> Vec<Trial> {
    let all = || [models(""), models("forms")].concat();
    let properties = [
        trials![
            models_of_the_onnx_package_keep_their_bytes,
            the_same_input_gives_the_same_bytes,
            a_message_over_the_limit_moves_its_weights_to_a_file,
            external_data_stay_where_they_are_or_are_copied,
            external_data_are_found_where_caches_lay_them,
            constants_have_external_data_in_subgraphs_too,
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

/// Compiles the digits network at `path`, with weights in a file beside it, and compares its map.
fn is_explained_from(path: &Path) {
    let directory = tempfile::tempdir().unwrap();
    let out = compile(path, &Options::default(), directory.path());
    let r = run(&out, false, &feed("x", &input("digits")), "x_relevance");
    assert!(distance(&r, &golden("digits", "rel.all")) < 2e-3);
}

fn external_data_are_found_where_caches_lay_them() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    let path = external(directory.path());
    let mut proto = ModelProto::clone(Model::open(&path).unwrap().proto());
    let locations = proto.graph.as_mut().unwrap().initializer.iter_mut();
    let locations = locations.flat_map(|tensor| &mut tensor.external_data);
    for entry in locations.filter(|entry| entry.key() == "location") {
        entry.value = Some("./digits.onnx.data".into());
    }
    let dotted = at("dotted.onnx");
    fs::write(&dotted, proto.encode_to_vec()).unwrap();
    is_explained_from(&dotted);

    #[cfg(unix)]
    {
        use std::os::unix::fs::symlink;
        for folder in ["blobs", "snapshots", "snapshots/1", "links"] {
            fs::create_dir(at(folder)).unwrap();
        }
        // Model and data are links to files that are called by their contents.
        fs::copy(&path, at("blobs/0a")).unwrap();
        fs::copy(at("digits.onnx.data"), at("blobs/0b")).unwrap();
        symlink("../../blobs/0a", at("snapshots/1/digits.onnx")).unwrap();
        symlink("../../blobs/0b", at("snapshots/1/digits.onnx.data")).unwrap();
        is_explained_from(&at("snapshots/1/digits.onnx"));
        // The data lie where the model is, not where the link is.
        symlink("../digits.onnx", at("links/digits.onnx")).unwrap();
        is_explained_from(&at("links/digits.onnx"));
    }
}

/// A `Constant` of one number, which lies in the file `w.bin` or in the node.
fn constant(name: &str, value: f32, external: bool) -> NodeProto {
    let bytes = value.to_le_bytes().to_vec();
    let mut tensor =
        TensorProto { data_type: Some(DataType::Float as i32), ..TensorProto::default() };
    if external {
        let location = ("location".to_string(), "w.bin".to_string());
        // Numbers lie one behind the other in the file, in the order of their values.
        let offset = ("offset".to_string(), (4 * (value as u32 - 1)).to_string());
        let entries = [location, offset, ("length".to_string(), "4".to_string())];
        tensor.data_location = Some(1);
        tensor.external_data = entries
            .map(|(key, value)| StringStringEntryProto { key: Some(key), value: Some(value) })
            .into();
    } else {
        tensor.raw_data = Some(bytes.into());
    }
    let value = AttributeProto { t: Some(tensor), r#type: Some(4), ..string("value", "") };
    NodeProto {
        op_type: Some("Constant".into()),
        output: vec![name.into()],
        attribute: vec![AttributeProto { s: None, ..value }],
        ..NodeProto::default()
    }
}

fn constants_have_external_data_in_subgraphs_too() {
    let [inline, outside] = [false, true].map(|external| {
        let path = fixture("forms/if.op17.onnx");
        let mut proto = ModelProto::clone(Model::open(&path).unwrap().proto());
        let graph = proto.graph.as_mut().unwrap();
        let branches = graph.node.iter_mut().flat_map(|node| &mut node.attribute);
        // What was b · b is b · 2, and the outer graph has a factor of 3 for what was chosen.
        for branch in branches.filter_map(|a| a.g.as_mut()) {
            for node in branch.node.iter_mut().filter(|node| node.op_type() == "Mul") {
                node.input[1] = "two".into();
            }
            branch.node.insert(0, constant("two", 2.0, external));
        }
        graph.node.iter_mut().for_each(|node| node.output[0] = "chosen".into());
        let product = NodeProto {
            op_type: Some("Mul".into()),
            input: vec!["chosen".into(), "three".into()],
            output: vec!["y".into()],
            ..NodeProto::default()
        };
        graph.node.extend([constant("three", 3.0, external), product]);
        let directory = tempfile::tempdir().unwrap();
        let source = directory.path().join("source.onnx");
        fs::write(&source, proto.encode_to_vec()).unwrap();
        let data = [1.0f32, 2.0, 3.0].map(f32::to_le_bytes).concat();
        fs::write(directory.path().join("w.bin"), data).unwrap();
        let options = Options { rule: "gradient".parse().unwrap(), ..Options::default() };
        let explained = compile(&source, &options, directory.path());
        let x = sample(&[2, 4], DataType::Float, 1).unwrap();
        run(&explained, false, &[("x".into(), x)], "x_relevance")
    });
    assert!(inline.iter().all(|v| v.abs() > 0.0), "{inline}");
    assert_eq!(inline, outside);
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
