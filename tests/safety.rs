//! What is written, read and run, and what is not, whatever a file says and whatever lies around.

#![allow(clippy::unwrap_used)]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    time::{Duration, Instant},
};

use abslrp::{
    Options,
    onnx::{
        self, Model, Transaction,
        parts::tensors,
        schema::{
            AttributeProto, FunctionProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto,
            SparseTensorProto, StringStringEntryProto, TensorProto, TensorShapeProto, TypeProto,
            ValueInfoProto,
            attribute_proto::AttributeType,
            tensor_proto::DataType,
            tensor_shape_proto::{Dimension, dimension},
            type_proto,
        },
    },
};
use prost::Message;

/// A size of a declared shape: a number, or the name of an open one.
fn size(n: i64) -> Dimension {
    let value = match n {
        -1 => dimension::Value::DimParam("batch".into()),
        n => dimension::Value::DimValue(n),
    };
    Dimension { value: Some(value), denotation: None }
}

fn value(name: &str, shape: &[i64]) -> ValueInfoProto {
    let shape = TensorShapeProto { dim: shape.iter().map(|&n| size(n)).collect() };
    let tensor = type_proto::Tensor { elem_type: Some(1), shape: Some(shape) };
    let value = Some(type_proto::Value::TensorType(tensor));
    ValueInfoProto {
        name: Some(name.into()),
        r#type: Some(TypeProto { value, denotation: None }),
        ..ValueInfoProto::default()
    }
}

fn node(op_type: &str, inputs: &[&str], outputs: &[&str]) -> NodeProto {
    NodeProto {
        op_type: Some(op_type.into()),
        input: inputs.iter().map(ToString::to_string).collect(),
        output: outputs.iter().map(ToString::to_string).collect(),
        ..NodeProto::default()
    }
}

fn attribute(name: &str, ty: AttributeType) -> AttributeProto {
    AttributeProto { name: Some(name.into()), r#type: Some(ty as i32), ..AttributeProto::default() }
}

fn floats(name: &str, dims: &[usize]) -> TensorProto {
    let count = dims.iter().product();
    let values: Vec<_> = (0..count).map(|i| f64::from(i as u32 % 7) - 2.5).collect();
    TensorProto {
        name: Some(name.into()),
        ..TensorProto::of_floats(DataType::Float, dims, &values)
    }
}

fn model(graph: GraphProto) -> ModelProto {
    ModelProto {
        ir_version: Some(8),
        opset_import: vec![OperatorSetIdProto { version: Some(17), ..Default::default() }],
        graph: Some(graph),
        ..ModelProto::default()
    }
}

/// y = Relu(x w), with x of four columns.
fn small() -> ModelProto {
    model(GraphProto {
        name: Some("g".into()),
        node: vec![node("MatMul", &["x", "w"], &["h"]), node("Relu", &["h"], &["y"])],
        initializer: vec![floats("w", &[4, 4])],
        input: vec![value("x", &[-1, 4])],
        output: vec![value("y", &[-1, 4])],
        ..GraphProto::default()
    })
}

/// Moves the data of a tensor to a file.
fn outside(tensor: &mut TensorProto, location: &str) -> bytes::Bytes {
    let data = tensor.raw_data.take().unwrap();
    tensor.data_location = Some(1);
    let entry =
        StringStringEntryProto { key: Some("location".into()), value: Some(location.into()) };
    tensor.external_data = vec![entry];
    data
}

/// The small network at `m.onnx`, with its weights in `location` as the file says, and at `file`.
fn with_external(directory: &Path, location: &str, file: &str) -> PathBuf {
    let mut proto = small();
    let data = outside(&mut proto.graph.as_mut().unwrap().initializer[0], location);
    let file = directory.join(file);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, data).unwrap();
    save(&proto, &directory.join("m.onnx"))
}

fn save(proto: &ModelProto, path: &Path) -> PathBuf {
    fs::write(path, proto.encode_to_vec()).unwrap();
    path.into()
}

fn place() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn abslrp(directory: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_abslrp"));
    command.current_dir(directory).env_remove("ORT_DYLIB_PATH");
    command
}

fn run(directory: &Path, args: &[&str]) -> Output {
    abslrp(directory).args(args).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into()
}

/// What a command that has to be refused says.
fn refused(directory: &Path, args: &[&str]) -> String {
    let before = contents(directory);
    let begin = Instant::now();
    let output = run(directory, args);
    let message = text(&output.stderr);
    assert!(begin.elapsed() < Duration::from_secs(20), "{args:?} takes too long");
    assert!(matches!(output.status.code(), Some(1 | 2)), "{args:?}: {:?} {message}", output.status);
    assert!(!message.contains("panicked"), "{message}");
    assert!(contents(directory) == before, "{args:?} left something: {message}");
    message
}

fn succeeds(directory: &Path, args: &[&str]) -> String {
    let output = run(directory, args);
    assert!(output.status.success(), "{args:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

/// Every file below a directory, with what regular ones hold.
fn contents(directory: &Path) -> Vec<(PathBuf, Option<Vec<u8>>)> {
    let mut found = Vec::new();
    let mut waiting = vec![directory.to_path_buf()];
    while let Some(path) = waiting.pop() {
        let metadata = path.symlink_metadata().unwrap();
        if metadata.is_dir() {
            waiting.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
        let held = metadata.is_file().then(|| fs::read(&path).unwrap());
        found.push((path, held));
    }
    found.sort();
    found
}

// ----- What is written -----

#[test]
fn nothing_that_is_read_is_overwritten() {
    let directory = place();
    let at = directory.path();
    with_external(at, "w.bin", "w.bin");
    fs::hard_link(at.join("m.onnx"), at.join("hard.onnx")).unwrap();
    fs::hard_link(at.join("w.bin"), at.join("hard.bin")).unwrap();
    fs::write(at.join("c.toml"), "rules = []\n").unwrap();
    for out in ["w.bin", "./w.bin", "hard.bin", "m.onnx", "hard.onnx"] {
        let message = refused(at, &["compile", "m.onnx", "-o", out]);
        assert!(message.contains("would overwrite a file that is read"), "{out}: {message}");
    }
    // The same where the weights only happen to have the default name.
    with_external(at, "m.explained.onnx", "m.explained.onnx");
    assert!(refused(at, &["compile", "m.onnx"]).contains("would overwrite a file that is read"));
    fs::write(at.join("x.npy"), "an input").unwrap();
    let args = ["compile", "m.onnx", "-o", "x.npy", "--input", "x=x.npy"];
    assert!(refused(at, &args).contains("would overwrite a file that is read"));
}

#[test]
fn a_config_is_not_overwritten() {
    let directory = place();
    let at = directory.path();
    save(&small(), &at.join("m.onnx"));
    fs::write(at.join("c.toml"), "[[rules]]\nmatch = \"*\"\nrule = \"epsilon\"\n").unwrap();
    let output = run(at, &["inspect", "m.onnx", "--config", "c.toml"]);
    if output.status.code() == Some(2) {
        // The format is another test's business: the name alone has to do.
        fs::write(at.join("c.toml"), "").unwrap();
    }
    let before = fs::read(at.join("c.toml")).unwrap();
    let output = run(at, &["compile", "m.onnx", "--config", "c.toml", "-o", "c.toml"]);
    assert!(!output.status.success());
    assert_eq!(fs::read(at.join("c.toml")).unwrap(), before);
}

#[cfg(unix)]
#[test]
fn nothing_but_a_regular_file_is_replaced() {
    let directory = place();
    let at = directory.path();
    save(&small(), &at.join("m.onnx"));
    fs::create_dir(at.join("folder")).unwrap();
    fs::write(at.join("target"), "precious").unwrap();
    std::os::unix::fs::symlink("target", at.join("link")).unwrap();
    std::os::unix::fs::symlink("nowhere", at.join("dangling")).unwrap();
    assert!(Command::new("mkfifo").arg(at.join("pipe")).status().unwrap().success());
    for out in ["folder", "link", "dangling", "pipe"] {
        let message = refused(at, &["compile", "m.onnx", "-o", out]);
        assert!(message.contains("not a regular file"), "{out}: {message}");
    }
    // As root, in a directory of its own, so that no device of the system is at stake.
    let null = Command::new("mknod").arg(at.join("null")).args(["c", "1", "3"]).status();
    if null.is_ok_and(|status| status.success()) {
        assert!(refused(at, &["compile", "m.onnx", "-o", "null"]).contains("not a regular file"));
    }
}

#[cfg(unix)]
#[test]
fn copied_weights_stay_in_the_directory_of_the_output() {
    let (source, directory) = (place(), place());
    let at = directory.path();
    let m = with_external(source.path(), "sub/w.bin", "sub/w.bin");
    fs::create_dir_all(at.join("out")).unwrap();
    fs::create_dir_all(at.join("elsewhere")).unwrap();
    std::os::unix::fs::symlink("../elsewhere", at.join("out/sub")).unwrap();
    let message = refused(at, &["compile", m.to_str().unwrap(), "-o", "out/e.onnx"]);
    assert!(message.contains("not a directory"), "{message}");
}

#[test]
fn a_run_that_fails_leaves_what_was_there_and_nothing_else() {
    let (source, directory) = (place(), place());
    let at = directory.path();
    let m = with_external(source.path(), "sub/d/w.bin", "sub/d/w.bin");
    let m = m.to_str().unwrap();
    fs::write(at.join("e.onnx"), "what was there before").unwrap();
    // No library, so that nothing can be verified.
    let message = refused(at, &["compile", m, "-o", "e.onnx", "--verify", "--ort-lib", "no.so"]);
    assert!(message.contains("no such library"), "{message}");
    fs::create_dir(at.join("folder")).unwrap();
    refused(at, &["compile", m, "-o", "folder"]);
    // Something else is where the weights would be.
    fs::create_dir_all(at.join("sub/d")).unwrap();
    fs::write(at.join("sub/d/w.bin"), "something else").unwrap();
    assert!(refused(at, &["compile", m, "-o", "e.onnx"]).contains("another file is where"));
    assert!(refused(at, &["compile", m, "-o", "no/such/e.onnx"]).contains("no/such/e.onnx"));
}

#[test]
fn several_files_are_all_there_or_none() {
    let directory = place();
    let at = directory.path();
    fs::write(at.join("a"), "old a").unwrap();
    let stage = |transaction: &mut Transaction, name: &str| {
        use std::io::Write;
        let mut file = transaction.create(&at.join(name)).unwrap();
        file.write_all(b"new").unwrap();
    };
    let mut transaction = Transaction::default();
    for name in ["a", "b", "c"] {
        stage(&mut transaction, name);
    }
    transaction.create_below(at, Path::new("new/folder/d")).unwrap();
    // Somebody puts a directory where the third would be, after it was staged.
    fs::create_dir(at.join("c")).unwrap();
    assert!(transaction.commit().is_err());
    assert_eq!(fs::read(at.join("a")).unwrap(), b"old a");
    assert!(!at.join("b").exists() && !at.join("new").exists());
    fs::remove_dir(at.join("c")).unwrap();

    let mut transaction = Transaction::default();
    for name in ["a", "b", "c"] {
        stage(&mut transaction, name);
    }
    assert_eq!(fs::read(at.join("a")).unwrap(), b"old a");
    transaction.commit().unwrap();
    for name in ["a", "b", "c"] {
        assert_eq!(fs::read(at.join(name)).unwrap(), b"new");
    }
    assert_eq!(fs::read_dir(at).unwrap().count(), 3);
}

#[cfg(unix)]
#[test]
fn a_run_that_is_told_to_end_leaves_nothing() {
    for signal in ["TERM", "INT", "HUP"] {
        let (source, directory) = (place(), place());
        let at = directory.path();
        let mut proto = small();
        let graph = proto.graph.as_mut().unwrap();
        outside(&mut graph.initializer[0], "w.bin");
        graph.initializer[0]
            .external_data
            .push(StringStringEntryProto { key: Some("length".into()), value: Some("64".into()) });
        let m = save(&proto, &source.path().join("m.onnx"));
        // A copy that takes a while, of a file that takes no room.
        let weights = fs::File::create(source.path().join("w.bin")).unwrap();
        weights.set_len(3 << 30).unwrap();
        fs::write(at.join("e.onnx"), "what was there before").unwrap();
        let before = contents(at);
        // Where the machine is busy, a run may be over before it is told to end: then there is another.
        let ended = (0..10).any(|_| {
            let ended = is_told_to_end(at, &m, signal);
            if !ended {
                fs::write(at.join("e.onnx"), "what was there before").unwrap();
                fs::remove_file(at.join("w.bin")).unwrap();
            }
            ended
        });
        assert!(ended, "{signal}: each run was over before it was told to end");
        assert!(contents(at) == before, "{signal} left something");
    }
}

/// Starts to compile, sends the signal once something is staged, and says whether that ended the run.
fn is_told_to_end(at: &Path, model: &Path, signal: &str) -> bool {
    let mut child = abslrp(at)
        .args(["compile", model.to_str().unwrap(), "-o", "e.onnx"])
        .stderr(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let begin = Instant::now();
    while fs::read_dir(at).unwrap().count() < 2 && begin.elapsed().as_secs() < 20 {
        std::thread::sleep(Duration::from_millis(1));
    }
    let id = child.id().to_string();
    assert!(Command::new("kill").args([&format!("-{signal}"), &id]).status().unwrap().success());
    !child.wait().unwrap().success()
}

#[test]
fn a_result_is_verified_before_anybody_sees_it() {
    let (source, directory) = (place(), place());
    let at = directory.path();
    let m = with_external(source.path(), "w.bin", "w.bin");
    succeeds(at, &["compile", m.to_str().unwrap(), "-o", "e.onnx", "--verify"]);
    succeeds(source.path(), &["compile", "m.onnx", "--verify"]);
    for (directory, count) in [(at, 2), (source.path(), 3)] {
        assert_eq!(fs::read_dir(directory).unwrap().count(), count);
    }
    succeeds(at, &["verify", "e.onnx"]);
}

#[test]
fn a_picture_and_its_numbers_replace_no_input() {
    let directory = place();
    let at = directory.path();
    save(&of_pictures(), &at.join("m.onnx"));
    succeeds(at, &["compile", "m.onnx", "-o", "e.onnx"]);
    let x = ndarray::Array4::<f32>::from_elem((1, 1, 8, 8), 0.5);
    ndarray_npy::WriteNpyExt::write_npy(&x, fs::File::create(at.join("x.npy")).unwrap()).unwrap();
    image::GrayImage::from_pixel(8, 8, image::Luma([90])).save(at.join("p.png")).unwrap();
    fs::copy(at.join("e.onnx"), at.join("e.png")).unwrap();
    for (args, what) in [
        (["explain", "e.onnx", "x.npy", "-o", "x.png"], "x.npy"),
        (["explain", "e.onnx", "p.png", "-o", "p.png"], "p.png"),
        (["explain", "e.png", "p.png", "-o", "e.png"], "e.png"),
    ] {
        let message = refused(at, &args);
        assert!(message.contains(what) && message.contains("would overwrite"), "{message}");
    }
    succeeds(at, &["explain", "e.onnx", "p.png", "-o", "q.png"]);
    assert!(at.join("q.npy").is_file());
}

#[test]
fn a_page_is_there_with_all_its_weights_or_not_at_all() {
    let directory = place();
    let at = directory.path();
    with_external(at, "w.bin", "w.bin");
    succeeds(at, &["compile", "m.onnx", "-o", "e.onnx"]);
    succeeds(at, &["page", "e.onnx", "-o", "page"]);
    let facts = fs::read_to_string(at.join("page/facts.js")).unwrap();
    assert!(
        facts.contains("\"external\":[[\"w.bin\",{\"parts\":[\"data/weights.0.0.js\"]}]]"),
        "{facts}"
    );
    // A second one replaces the first.
    succeeds(at, &["page", "e.onnx", "-o", "page/"]);
    fs::copy(at.join("e.onnx"), at.join("facts.js")).unwrap();
    fs::create_dir(at.join("full")).unwrap();
    fs::write(at.join("full/data"), "no directory").unwrap();
    let before = contents(at);
    for (args, what) in [
        (&["page", "facts.js", "-o", "."][..], "would overwrite"),
        (&["page", "e.onnx", "-o", "full"], "not a directory"),
        (&["page", "e.onnx", "-o", "new", "--labels", "none.txt"], "none.txt"),
        (&["page", "e.onnx", "-o", "new", "--tokenizer", "w.bin"], "w.bin"),
    ] {
        let message = refused(at, args);
        assert!(message.contains(what), "{message}");
        assert_eq!(contents(at), before, "{args:?}");
    }
}

// ----- What is run -----

/// A command that finds no ONNX Runtime but what lies around, and fetches nothing.
fn verifies(directory: &Path, cache: &Path) -> Command {
    let mut command = abslrp(directory);
    command.args(["compile", "m.onnx", "-o", "e.onnx", "--verify"]);
    command.env("ABSLRP_CACHE", cache).env("PIP_NO_INDEX", "1");
    command
}

#[test]
fn no_code_is_run_because_it_lies_in_the_current_directory() {
    let (directory, cache) = (place(), place());
    let at = directory.path();
    save(&small(), &at.join("m.onnx"));
    fs::create_dir_all(at.join("onnxruntime/capi")).unwrap();
    fs::write(at.join("onnxruntime/__init__.py"), "").unwrap();
    fs::write(at.join("onnxruntime/capi/libonnxruntime.so.1"), "no library").unwrap();
    let marker = at.join("marker");
    let planted = format!("open({:?}, 'w').write('was here')\n", marker.to_str().unwrap());
    fs::create_dir(at.join("pip")).unwrap();
    for name in ["pip/__main__.py", "pip/__init__.py", "zipfile.py", "site.py", "importlib.py"] {
        fs::write(at.join(name), &planted).unwrap();
    }
    fs::write(at.join("python3"), format!("#!/bin/sh\necho > {}\n", marker.display())).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(at.join("python3"), fs::Permissions::from_mode(0o755)).unwrap();
    }
    let path = std::env::var("PATH").unwrap();
    for path in [path.clone(), format!(".:{path}"), format!(":{path}")] {
        let output =
            verifies(at, cache.path()).env("PATH", path).env("PYTHONPATH", at).output().unwrap();
        let message = text(&output.stderr);
        assert!(!message.contains("not a usable"), "{message}");
        assert!(!marker.exists(), "{message}");
    }
}

#[cfg(unix)]
#[test]
fn no_library_is_loaded_that_others_could_have_written() {
    use std::os::unix::fs::PermissionsExt;
    let (directory, cache) = (place(), place());
    let (at, cache) = (directory.path(), cache.path());
    save(&small(), &at.join("m.onnx"));
    let capi = cache.join("onnxruntime-1.32.0/onnxruntime/capi");
    fs::create_dir_all(&capi).unwrap();
    let library = capi.join("libonnxruntime.so.1.32.0");
    fs::write(&library, "no library").unwrap();
    let message = || text(&verifies(at, cache).output().unwrap().stderr);
    assert!(message().contains("not a usable ONNX Runtime"), "as long as it is ours");
    for open in [cache, &cache.join("onnxruntime-1.32.0"), &capi, &library] {
        let mode = fs::metadata(open).unwrap().permissions().mode();
        fs::set_permissions(open, fs::Permissions::from_mode(0o777)).unwrap();
        let message = message();
        assert!(!message.contains("not a usable"), "{}: {message}", open.display());
        fs::set_permissions(open, fs::Permissions::from_mode(mode)).unwrap();
    }
    fs::set_permissions(&library, fs::Permissions::from_mode(0o666)).unwrap();
    let args = ["compile", "m.onnx", "-o", "e.onnx", "--verify", "--ort-lib"];
    let output = abslrp(at).args(args).arg(&library).output().unwrap();
    assert!(text(&output.stderr).contains("not to be trusted"), "{}", text(&output.stderr));
    // Another user's: only root can try.
    fs::set_permissions(&library, fs::Permissions::from_mode(0o755)).unwrap();
    if std::os::unix::fs::chown(&library, Some(65534), None).is_ok() {
        let message = message();
        assert!(!message.contains("not a usable"), "{message}");
    }
    assert!(!at.join("e.onnx").exists());
}

/// A model of pictures, 8 by 8.
fn of_pictures() -> ModelProto {
    let mut proto = small();
    let graph = graph(&mut proto);
    graph.node = vec![node("Relu", &["x"], &["y"])];
    graph.initializer.clear();
    graph.input = vec![value("x", &[-1, 1, 8, 8])];
    graph.output = vec![value("y", &[-1, 1, 8, 8])];
    proto
}

fn graph(proto: &mut ModelProto) -> &mut GraphProto {
    proto.graph.as_mut().unwrap()
}

#[cfg(unix)]
#[test]
fn the_cache_is_where_it_was_said_to_be() {
    let (directory, cache) = (place(), place());
    let at = directory.path();
    save(&small(), &at.join("m.onnx"));
    let said = |name: &str, value: &str| {
        let mut command = verifies(at, cache.path());
        command.env_remove("ABSLRP_CACHE").env_remove("XDG_CACHE_HOME").env_remove("HOME");
        let output = command.env(name, value).output().unwrap();
        assert_eq!(fs::read_dir(at).unwrap().count(), 1, "{name}");
        text(&output.stderr)
    };
    for name in ["ABSLRP_CACHE", "ORT_DYLIB_PATH"] {
        assert!(said(name, "somewhere").contains("is no absolute path"), "{name}");
    }
    for name in ["XDG_CACHE_HOME", "HOME"] {
        assert!(said(name, "somewhere").contains("set ABSLRP_CACHE"), "{name}");
    }
    // A link in place of the lock does not cost its target.
    let target = at.join("m.onnx");
    let before = fs::read(&target).unwrap();
    std::os::unix::fs::symlink(&target, cache.path().join("lock")).unwrap();
    let _ = verifies(at, cache.path()).output().unwrap();
    assert!(fs::read(&target).unwrap() == before);
}

// ----- What a model consists of -----

fn opened(proto: &ModelProto) -> Result<Model, onnx::Error> {
    Model::decode(proto.encode_to_vec().into(), "m.onnx")
}

/// The small network with a tensor at each place where one can be.
fn places(tensor: &TensorProto) -> Vec<(&'static str, ModelProto)> {
    let with = |change: &dyn Fn(&mut ModelProto)| {
        let mut proto = small();
        change(&mut proto);
        proto
    };
    let held =
        |t: TensorProto| AttributeProto { t: Some(t), ..attribute("value", AttributeType::Tensor) };
    let constant = |name: &str| NodeProto {
        attribute: vec![held(tensor.clone())],
        ..node("Constant", &[], &[name])
    };
    let sparse = || SparseTensorProto {
        values: Some(tensor.clone()),
        indices: Some(TensorProto::of_ints(&[1], &[0])),
        dims: vec![5],
    };
    let branch = |inner: GraphProto| AttributeProto {
        g: Some(inner),
        ..attribute("then_branch", AttributeType::Graph)
    };
    let nested = |inner: GraphProto| {
        let outer = GraphProto {
            node: vec![NodeProto { attribute: vec![branch(inner)], ..node("If", &["x"], &["z"]) }],
            ..GraphProto::default()
        };
        NodeProto { attribute: vec![branch(outer)], ..node("If", &["x"], &["z"]) }
    };
    let initialized = || GraphProto { initializer: vec![tensor.clone()], ..GraphProto::default() };
    vec![
        ("an initializer", with(&|m| graph(m).initializer.push(tensor.clone()))),
        ("a sparse initializer", with(&|m| graph(m).sparse_initializer.push(sparse()))),
        ("an attribute", with(&|m| graph(m).node.push(constant("c")))),
        (
            "a list in an attribute",
            with(&|m| {
                let list = AttributeProto {
                    tensors: vec![tensor.clone()],
                    ..attribute("values", AttributeType::Tensors)
                };
                graph(m)
                    .node
                    .push(NodeProto { attribute: vec![list], ..node("Any", &["x"], &["c"]) });
            }),
        ),
        (
            "a sparse attribute",
            with(&|m| {
                let value = AttributeProto {
                    sparse_tensor: Some(sparse()),
                    ..attribute("sparse_value", AttributeType::SparseTensor)
                };
                graph(m)
                    .node
                    .push(NodeProto { attribute: vec![value], ..node("Constant", &[], &["c"]) });
            }),
        ),
        ("a branch in a branch", with(&|m| graph(m).node.push(nested(initialized())))),
        (
            "a node of a branch",
            with(&|m| {
                let inner = GraphProto { node: vec![constant("c")], ..GraphProto::default() };
                graph(m).node.push(nested(inner));
            }),
        ),
        (
            "a function",
            with(&|m| {
                m.functions.push(FunctionProto { node: vec![constant("c")], ..Default::default() });
            }),
        ),
        (
            "the default of a function's attribute",
            with(&|m| {
                let attribute_proto = vec![held(tensor.clone())];
                m.functions.push(FunctionProto { attribute_proto, ..Default::default() });
            }),
        ),
        (
            "training",
            with(&|m| {
                let algorithm = Some(initialized());
                m.training_info
                    .push(onnx::schema::TrainingInfoProto { algorithm, ..Default::default() });
            }),
        ),
    ]
}

#[test]
fn every_tensor_is_seen_wherever_it_lies() {
    let lie = TensorProto { dims: vec![3], ..floats("lie", &[1]) };
    let escape = {
        let mut tensor = floats("lie", &[1]);
        outside(&mut tensor, "/etc/passwd");
        tensor
    };
    let kind = |ty: DataType, dims: &[i64]| TensorProto {
        dims: dims.to_vec(),
        data_type: Some(ty as i32),
        name: Some("lie".into()),
        ..TensorProto::default()
    };
    let lies = [
        lie,
        escape,
        kind(DataType::Int4, &[1 << 62]),
        kind(DataType::Float4e2m1, &[8]),
        kind(DataType::Float6e2m3, &[1 << 40]),
        kind(DataType::Complex128, &[1 << 63 >> 1]),
        kind(DataType::Float, &[-1]),
    ];
    for lie in &lies {
        for (place, proto) in places(lie) {
            let error = opened(&proto).map(drop).unwrap_err().to_string();
            assert!(error.contains("'lie'"), "{place}: {error}");
        }
    }
    for (place, mut proto) in places(&floats("w2", &[1])) {
        let model = opened(&proto);
        assert!(model.is_ok(), "{place}: {}", model.unwrap_err());
        assert!(tensors(&proto).any(|t| t.name() == "w2"), "{place}");
        let mut seen = 0;
        onnx::parts::tensors_mut(&mut proto, |_| seen += 1);
        assert_eq!(seen, tensors(&proto).count(), "{place}");
    }
}

#[test]
fn packed_elements_are_counted() {
    for (ty, count, stored, good) in [
        (DataType::Int4, 3, 2, true),
        (DataType::Int4, 3, 3, true),
        (DataType::Int4, 3, 1, false),
        (DataType::Uint2, 5, 2, true),
        (DataType::Uint2, 5, 3, false),
        (DataType::Float6e2m3, 5, 5, true),
        (DataType::Float6e2m3, 5, 4, false),
    ] {
        let mut proto = small();
        let tensor = TensorProto {
            dims: vec![count],
            data_type: Some(ty as i32),
            int32_data: vec![0; stored],
            name: Some("packed".into()),
            ..TensorProto::default()
        };
        proto.graph.as_mut().unwrap().initializer.push(tensor);
        assert_eq!(opened(&proto).is_ok(), good, "{ty:?} {count} in {stored}");
    }
}

#[test]
fn sparse_tensors_lie_within_their_shape() {
    let sparse = |dims: &[i64], at: &[usize], indices: &[i64]| {
        let mut proto = small();
        let tensor = SparseTensorProto {
            values: Some(floats("s", &[2])),
            indices: Some(TensorProto::of_ints(at, indices)),
            dims: dims.to_vec(),
        };
        proto.graph.as_mut().unwrap().sparse_initializer.push(tensor);
        opened(&proto).map(drop)
    };
    assert!(sparse(&[3, 4], &[2], &[0, 11]).is_ok());
    assert!(sparse(&[3, 4], &[2, 2], &[0, 3, 2, 3]).is_ok());
    assert!(sparse(&[3, 4], &[2], &[0, 12]).is_err());
    assert!(sparse(&[3, 4], &[2, 2], &[0, 3, 3, 3]).is_err());
    assert!(sparse(&[3, 4], &[2], &[-1, 1]).is_err());
    assert!(sparse(&[3, 4], &[3], &[0, 1, 2]).is_err());
    assert!(sparse(&[1 << 40, 1 << 40], &[2], &[0, 1]).is_err());
}

#[test]
fn weights_of_constants_go_where_the_model_goes() {
    let (source, directory) = (place(), place());
    let mut proto = small();
    let graph = proto.graph.as_mut().unwrap();
    let mut weight = graph.initializer.pop().unwrap();
    fs::write(source.path().join("w.bin"), outside(&mut weight, "w.bin")).unwrap();
    let held = AttributeProto { t: Some(weight), ..attribute("value", AttributeType::Tensor) };
    graph.node.insert(0, NodeProto { attribute: vec![held], ..node("Constant", &[], &["w"]) });
    let m = save(&proto, &source.path().join("m.onnx"));
    let args = ["compile", m.to_str().unwrap(), "-o", "e.onnx", "--verify"];
    succeeds(directory.path(), &args);
    assert!(directory.path().join("w.bin").is_file());
    succeeds(directory.path(), &["verify", "e.onnx"]);
}

#[test]
fn weights_of_constants_are_moved_out_of_a_large_message() {
    let directory = place();
    let mut proto = small();
    let graph = proto.graph.as_mut().unwrap();
    graph.initializer.clear();
    let weight = floats("w", &[4, 4096]);
    let held = AttributeProto { t: Some(weight), ..attribute("value", AttributeType::Tensor) };
    graph.node.insert(0, NodeProto { attribute: vec![held], ..node("Constant", &[], &["w"]) });
    graph.output = vec![value("y", &[-1, 4096])];
    let path = directory.path().join("e.onnx");
    let source = opened(&proto).unwrap();
    let explanation = abslrp::compile(&source, &Options::default()).unwrap();
    explanation.writer().limit(20_000).write(&path).unwrap();
    let written = Model::open(&path).unwrap();
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 2);
    assert!(abslrp::source_of(&written).is_some(), "its record is that of its source");
    succeeds(directory.path(), &["verify", "e.onnx"]);
}

#[test]
fn a_location_may_start_here() {
    let (directory, other) = (place(), place());
    let at = directory.path();
    with_external(at, "./sub/./w.bin", "sub/w.bin");
    succeeds(at, &["compile", "m.onnx", "-o", "e.onnx", "--verify"]);
    let out = other.path().join("e.onnx");
    succeeds(at, &["compile", "m.onnx", "-o", out.to_str().unwrap(), "--verify"]);
    assert!(other.path().join("sub/w.bin").is_file());
}

#[cfg(unix)]
#[test]
fn links_of_caches_are_followed_and_others_are_not() {
    use std::os::unix::fs::symlink;
    let (directory, other) = (place(), place());
    let at = directory.path();
    // As the cache of a hub lays them: links to files that are called by what they hold.
    let (blobs, snapshot) = (at.join("blobs"), at.join("snapshots/abc"));
    fs::create_dir_all(&blobs).unwrap();
    fs::create_dir_all(&snapshot).unwrap();
    with_external(&blobs, "m.onnx_data", "5678");
    fs::rename(blobs.join("m.onnx"), blobs.join("1234")).unwrap();
    symlink("../../blobs/1234", snapshot.join("m.onnx")).unwrap();
    symlink("../../blobs/5678", snapshot.join("m.onnx_data")).unwrap();
    let out = other.path().join("e.onnx");
    succeeds(&snapshot, &["compile", "m.onnx", "-o", out.to_str().unwrap(), "--verify"]);
    assert!(other.path().join("m.onnx_data").symlink_metadata().unwrap().is_file());
    succeeds(&snapshot, &["compile", "m.onnx", "--verify"]);
    succeeds(&snapshot, &["verify", "m.explained.onnx", "--source", "m.onnx"]);

    // Weights beside the model that a link leads to.
    let real = at.join("real");
    fs::create_dir(&real).unwrap();
    with_external(&real, "w.bin", "w.bin");
    symlink("real/m.onnx", at.join("link.onnx")).unwrap();
    succeeds(at, &["compile", "link.onnx", "-o", "e.onnx"]);
    succeeds(at, &["verify", "e.onnx"]);

    // A link that a model may not have: the model itself is none.
    let plain = place();
    with_external(plain.path(), "w.bin", "w.bin");
    fs::remove_file(plain.path().join("w.bin")).unwrap();
    symlink(real.join("w.bin"), plain.path().join("w.bin")).unwrap();
    let message = refused(plain.path(), &["compile", "m.onnx", "-o", "e.onnx"]);
    assert!(message.contains("leaves the model's directory"), "{message}");
    fs::create_dir(plain.path().join("sub")).unwrap();
    symlink(&real, plain.path().join("sub/far")).unwrap();
    with_external(plain.path(), "sub/far/w.bin", "unused");
    let message = refused(plain.path(), &["compile", "m.onnx", "-o", "e.onnx"]);
    assert!(message.contains("leaves the model's directory"), "{message}");
}

#[test]
fn weights_that_are_cut_short_are_an_error() {
    let (source, directory) = (place(), place());
    let m = with_external(source.path(), "w.bin", "w.bin");
    let model = Model::open(m).unwrap();
    let weights = fs::File::options().write(true).open(source.path().join("w.bin")).unwrap();
    weights.set_len(10).unwrap();
    let out = directory.path().join("e.onnx");
    let error = model.writer().write(&out);
    assert!(error.unwrap_err().to_string().contains("cut short"));
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
}

// ----- What is too much -----

#[test]
fn a_node_without_outputs_is_refused() {
    let nothing = node("Relu", &["x"], &[]);
    let mut proto = small();
    proto.graph.as_mut().unwrap().node.push(nothing.clone());
    assert!(opened(&proto).unwrap_err().to_string().contains("has no outputs"));
    let mut proto = small();
    proto.functions.push(FunctionProto { node: vec![nothing], ..Default::default() });
    assert!(opened(&proto).unwrap_err().to_string().contains("has no outputs"));
}

#[test]
fn sizes_below_nothing_and_beyond_everything_are_refused() {
    let padded = |pads: &[i64], shape: &[i64]| {
        let mut proto = small();
        let graph = proto.graph.as_mut().unwrap();
        graph.input = vec![value("x", shape)];
        graph.output = vec![value("y", &[-1, -1])];
        let list = TensorProto::of_ints(&[pads.len()], pads);
        graph.initializer = vec![TensorProto { name: Some("p".into()), ..list }];
        graph.node = vec![node("Pad", &["x", "p"], &["h"]), node("Relu", &["h"], &["y"])];
        opened(&proto).map_err(|e| e.to_string()).and_then(|model| {
            abslrp::compile(&model, &Options::default()).map(drop).map_err(|e| e.to_string())
        })
    };
    assert!(padded(&[0, -3, 0, -3], &[2, 8]).is_ok());
    for (pads, shape, says) in [
        ([0, -5, 0, -5], [2, 8], "a size of -2"),
        ([0, 1 << 60, 0, 1 << 60], [2, 8], "the model is invalid"),
        ([0, 0, 0, 0], [2, 1 << 60], "no tensor is that long"),
    ] {
        let error = padded(&pads, &shape).unwrap_err();
        assert!(error.contains(says), "{error}");
    }
}

#[cfg(unix)]
#[test]
fn pipes_and_devices_are_no_files() {
    let directory = place();
    let at = directory.path();
    for name in ["pipe.onnx", "w.bin", "x.npy", "p.png"] {
        assert!(Command::new("mkfifo").arg(at.join(name)).status().unwrap().success());
    }
    let mut proto = small();
    outside(&mut proto.graph.as_mut().unwrap().initializer[0], "w.bin");
    save(&proto, &at.join("external.onnx"));
    save(&small(), &at.join("m.onnx"));
    succeeds(at, &["compile", "m.onnx", "-o", "e.onnx"]);
    let before = fs::read_dir(at).unwrap().count();
    for args in [
        &["compile", "pipe.onnx"][..],
        &["compile", "/dev/zero", "-o", "z.onnx"],
        &["compile", "external.onnx"],
        &["compile", "m.onnx", "--config", "pipe.onnx"],
        &["compile", "m.onnx", "--config", "/dev/zero"],
        &["verify", "e.onnx", "--input", "x=x.npy"],
        &["explain", "e.onnx", "p.png"],
    ] {
        let mut child = abslrp(at).args(args).stderr(std::process::Stdio::piped()).spawn().unwrap();
        let begin = Instant::now();
        while child.try_wait().unwrap().is_none() {
            assert!(begin.elapsed() < Duration::from_secs(20), "{args:?} waits");
            std::thread::sleep(Duration::from_millis(20));
        }
        let output = child.wait_with_output().unwrap();
        assert!(!output.status.success(), "{args:?}");
        assert_eq!(fs::read_dir(at).unwrap().count(), before, "{args:?}");
    }
}

#[test]
fn headers_promise_nothing() {
    let directory = place();
    let at = directory.path();
    save(&of_pictures(), &at.join("m.onnx"));
    succeeds(at, &["compile", "m.onnx", "-o", "e.onnx"]);
    let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (1099511627776, 4), }";
    let header = format!("{header:117}\n");
    let mut npy = b"\x93NUMPY\x01\x00".to_vec();
    npy.extend((header.len() as u16).to_le_bytes());
    npy.extend(header.as_bytes());
    fs::write(at.join("x.npy"), npy).unwrap();
    assert!(refused(at, &["verify", "e.onnx", "--input", "x=x.npy"]).contains("x.npy"));
    assert!(refused(at, &["explain", "e.onnx", "x.npy", "-o", "o.png"]).contains("x.npy"));
    // Blank, and far too large.
    let blank = image::GrayImage::new(20_000, 20_000);
    blank.save(at.join("p.png")).unwrap();
    drop(blank);
    let message = refused(at, &["explain", "e.onnx", "p.png"]);
    assert!(message.contains("20000 × 20000 pixels are too many"), "{message}");
}

#[test]
fn numbers_that_nobody_means_are_refused_at_once() {
    let directory = place();
    let at = directory.path();
    save(&small(), &at.join("m.onnx"));
    let classes: Vec<_> = (0..20_000).map(|i| i.to_string()).collect();
    let classes = classes.join(",");
    for args in [
        &["bench", "m.onnx", "--batch", "99999999999"][..],
        &["bench", "m.onnx", "--batch", "0"],
        &["bench", "m.onnx", "--threads", "9999999"],
        &["bench", "m.onnx", "--size", "99999999999"],
        &["bench", "m.onnx", "--rounds", "99999999999"],
        &["compile", "m.onnx", "--target", &classes],
    ] {
        let begin = Instant::now();
        let output = run(at, args);
        assert_eq!(output.status.code(), Some(2), "{:?}", &args[..3]);
        assert!(begin.elapsed() < Duration::from_secs(5));
    }
    let mut proto = small();
    let graph = proto.graph.as_mut().unwrap();
    (graph.input, graph.output) =
        (vec![value("x", &[1, 1 << 40])], vec![value("y", &[1, 1 << 40])]);
    graph.node = vec![node("Relu", &["x"], &["y"])];
    graph.initializer.clear();
    save(&proto, &at.join("long.onnx"));
    succeeds(at, &["compile", "long.onnx", "-o", "e.onnx"]);
    assert!(refused(at, &["verify", "e.onnx"]).contains("too large for random numbers"));
}

// ----- What is shown -----

#[test]
fn names_are_no_commands_to_a_terminal() {
    let directory = place();
    let at = directory.path();
    let evil = "a\u{1b}]0;gone\u{7}\u{1b}[2J\rb\nerror: forged\u{9b}31m\u{202e}";
    let clean = |args: &[&str]| {
        let output = run(at, args);
        let shown = text(&output.stdout) + &text(&output.stderr);
        let bad = shown.chars().find(|&c| c != '\n' && onnx::shown::commands(c));
        assert!(bad.is_none(), "{args:?}: {bad:?} in {shown}");
        assert!(!shown.lines().any(|line| line.starts_with("error: forged")), "{args:?}: {shown}");
        assert!(!shown.is_empty(), "{args:?}");
    };
    let mut proto = small();
    let graph = proto.graph.as_mut().unwrap();
    let sized = |name: &str| {
        let mut info = value(name, &[-1, 4]);
        let Some(type_proto::Value::TensorType(tensor)) = &mut info.r#type.as_mut().unwrap().value
        else {
            panic!("a tensor")
        };
        tensor.shape.as_mut().unwrap().dim[0].value = Some(dimension::Value::DimParam(evil.into()));
        info
    };
    let (x, y) = (format!("x{evil}"), format!("y{evil}"));
    (graph.input, graph.output) = (vec![sized(&x)], vec![sized(&y)]);
    (graph.node[0].input[0], graph.node[1].output[0]) = (x, y);
    graph.node[0].name = Some(evil.into());
    let entry = StringStringEntryProto { key: Some(evil.into()), value: Some(evil.into()) };
    proto.metadata_props.push(entry);
    save(&proto, &at.join("m.onnx"));
    for args in [
        &["compile", "m.onnx", "-o", "e.onnx", "--verify"][..],
        &["compile", "m.onnx", "-o", "e.onnx", "--json"],
        &["inspect", "m.onnx"],
        &["inspect", "m.onnx", "--json"],
        &["print", "m.onnx"],
        &["print", "e.onnx"],
        &["verify", "e.onnx", "--units"],
        &["verify", "e.onnx", "--json"],
        &["compile", "m.onnx", "-o", "f.onnx", "--output", "z"],
        &["compile", "m.onnx", "-o", "f.onnx", "--target", "99"],
    ] {
        clean(args);
    }
    let mut unknown = proto.clone();
    let node = &mut unknown.graph.as_mut().unwrap().node[1];
    (node.op_type, node.domain) = (Some(evil.into()), Some(evil.into()));
    save(&unknown, &at.join("m.onnx"));
    clean(&["compile", "m.onnx", "-o", "f.onnx"]);
    clean(&["inspect", "m.onnx"]);
    let mut dangling = proto.clone();
    dangling.graph.as_mut().unwrap().node[1].input[0] = evil.into();
    save(&dangling, &at.join("m.onnx"));
    clean(&["compile", "m.onnx", "-o", "f.onnx"]);
    let mut outside_of_it = proto.clone();
    outside(&mut outside_of_it.graph.as_mut().unwrap().initializer[0], evil);
    save(&outside_of_it, &at.join("m.onnx"));
    clean(&["compile", "m.onnx", "-o", "f.onnx"]);
    // However long they are.
    dangling.graph.as_mut().unwrap().node[1].input[0] = "long".repeat(1 << 20);
    save(&dangling, &at.join("m.onnx"));
    assert!(refused(at, &["compile", "m.onnx", "-o", "f.onnx"]).len() < 3000);
}

// ----- Time and memory -----

/// What takes longer does not end: every model here compiles in seconds, on a machine that is not busy.
const HANG: Duration = Duration::from_mins(5);

/// Compiles a model in a process of its own, and says how long that takes; memory has a limit.
fn within(proto: &ModelProto) {
    let directory = place();
    save(proto, &directory.path().join("m.onnx"));
    let begin = Instant::now();
    let output = if cfg!(target_os = "linux") {
        let program = env!("CARGO_BIN_EXE_abslrp");
        let script = format!("ulimit -v 4194304; exec {program} compile m.onnx -o e.onnx");
        Command::new("sh").args(["-c", &script]).current_dir(directory.path()).output().unwrap()
    } else {
        run(directory.path(), &["compile", "m.onnx", "-o", "e.onnx"])
    };
    let taken = begin.elapsed();
    let message = text(&output.stderr);
    assert!(matches!(output.status.code(), Some(0 | 1)), "{:?} {message}", output.status);
    assert!(!message.contains("panicked"), "{message}");
    assert!(taken < HANG, "{taken:?}: {message}");
}

/// A graph from x to y of one column each.
fn of_nodes(node: Vec<NodeProto>, initializer: Vec<TensorProto>) -> ModelProto {
    let mut proto = small();
    let graph = proto.graph.as_mut().unwrap();
    (graph.node, graph.initializer) = (node, initializer);
    graph.output = vec![value("y", &[-1, -1])];
    proto
}

#[test]
fn operands_cost_linear_time() {
    for op_type in ["Concat", "Sum", "Max"] {
        let many = vec!["x"; 10_000];
        let mut call = node(op_type, &many, &["y"]);
        if op_type == "Concat" {
            call.attribute = vec![onnx::attribute::int("axis", 1)];
        }
        within(&of_nodes(vec![call], vec![]));
    }
}

#[test]
fn readers_and_outputs_cost_linear_time() {
    let count = 10_000;
    let names: Vec<_> = (0..count).map(|i| format!("v{i}")).collect();
    let mut nodes: Vec<_> = names.iter().map(|name| node("Relu", &["x"], &[name])).collect();
    let mut sum = node("Sum", &[], &["y"]);
    sum.input.clone_from(&names);
    nodes.push(sum);
    within(&of_nodes(nodes, vec![]));

    let mut split = node("Split", &["x", "sizes"], &[]);
    split.output.clone_from(&names);
    split.attribute = vec![onnx::attribute::int("axis", 1)];
    let sizes = TensorProto {
        name: Some("sizes".into()),
        ..TensorProto::of_ints(&[count], &vec![1; count])
    };
    let mut proto = of_nodes(vec![split, node("Relu", &["v7"], &["y"])], vec![sizes]);
    proto.graph.as_mut().unwrap().input = vec![value("x", &[-1, count as i64])];
    within(&proto);
}

#[test]
fn long_chains_cost_linear_time() {
    let count = 30_000;
    let chain: Vec<_> = (0..count)
        .map(|i| {
            let from = if i == 0 { "x".into() } else { format!("v{i}") };
            let to = if i + 1 == count { "y".into() } else { format!("v{}", i + 1) };
            node("Relu", &[&from], &[&to])
        })
        .collect();
    within(&of_nodes(chain, vec![]));
}

#[test]
fn calls_of_functions_are_counted() {
    // Empty bodies that call each other: 20 to the 15th calls, and no node.
    let mut proto = of_nodes(
        vec![NodeProto { domain: Some("f".into()), ..node("f0", &["x"], &["y"]) }],
        vec![],
    );
    proto.opset_import.push(OperatorSetIdProto { domain: Some("f".into()), version: Some(1) });
    for level in 0..15 {
        let call = NodeProto {
            domain: Some("f".into()),
            ..node(&format!("f{}", level + 1), &["a"], &["b"])
        };
        let (name, domain) = (Some(format!("f{level}")), Some("f".into()));
        proto.functions.push(FunctionProto {
            name,
            domain,
            input: vec!["a".into()],
            output: vec!["b".into()],
            node: (0..20)
                .map(|i| NodeProto {
                    output: vec![if i == 19 { "b".into() } else { format!("b{i}") }],
                    ..call.clone()
                })
                .collect(),
            ..FunctionProto::default()
        });
    }
    proto.functions.push(FunctionProto {
        name: Some("f15".into()),
        domain: Some("f".into()),
        input: vec!["a".into()],
        output: vec!["a".into()],
        ..FunctionProto::default()
    });
    within(&proto);
}

#[test]
fn bodies_are_not_copied_for_nothing() {
    let body: Vec<_> = (0..20_000)
        .map(|i| node("Relu", &["a"], &[&format!("v{i}")]))
        .chain([node("Unknown", &["a"], &["b"])])
        .collect();
    let calls: Vec<_> = (0..2000)
        .map(|i| {
            let (from, to) = (format!("c{i}"), format!("c{}", i + 1));
            let (from, to) = (if i == 0 { "x" } else { &from }, if i == 1999 { "y" } else { &to });
            NodeProto { domain: Some("f".into()), ..node("f", &[from], &[to]) }
        })
        .collect();
    let mut proto = of_nodes(calls, vec![]);
    proto.opset_import.push(OperatorSetIdProto { domain: Some("f".into()), version: Some(1) });
    proto.functions.push(FunctionProto {
        name: Some("f".into()),
        domain: Some("f".into()),
        input: vec!["a".into()],
        output: vec!["b".into()],
        node: body,
        ..FunctionProto::default()
    });
    within(&proto);
}

#[test]
fn long_names_are_not_multiplied() {
    let mut proto = small();
    proto.graph.as_mut().unwrap().node[0].name = Some("n".repeat(4 << 20));
    let directory = place();
    save(&proto, &directory.path().join("m.onnx"));
    succeeds(directory.path(), &["compile", "m.onnx", "-o", "e.onnx"]);
    let length = |name: &str| fs::metadata(directory.path().join(name)).unwrap().len();
    assert!(length("e.onnx") < length("m.onnx") + 100_000);
}
