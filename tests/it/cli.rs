//! The program as a user meets it: exit codes, messages, files.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use libtest_mimic::Trial;
use prost::Message;

use crate::common::{
    Model, ModelProto, distance, feed, fixture, golden, input, runner, runtime, snapshot, trials,
};

pub fn trials() -> Vec<Trial> {
    trials![
        compiles_verifies_and_explains,
        a_colour_picture_and_an_array_are_images_too,
        a_page_holds_the_model_and_how_it_is_fed,
        wrong_usage_exits_with_2,
        failures_exit_with_1_name_the_file_and_leave_nothing,
        an_operator_without_a_rule_is_an_error_or_a_cut,
        presets_may_hit_nothing_and_are_verified_as_they_were_compiled,
        values_as_small_as_epsilon_are_told_from_ill_conditioning,
        the_readme_lists_the_operators_there_are,
        without_onnx_runtime_there_is_one_clear_error,
        the_doctor_says_what_there_is,
        shells_complete_and_manuals_are_read,
        another_runtime_is_judged_by_what_it_says,
        cuda_fails_cleanly_where_there_is_none,
        bench_runs_the_plain_and_the_explained_models,
        evaluate_tells_rules_from_random_maps,
        evaluate_masks_tokens,
        evaluate_reads_tables,
        evaluate_blurs_pictures,
        data_that_do_not_fit_are_refused_by_what_was_expected,
        passes_are_chosen_by_name,
        a_changed_model_fails_verification,
        inspect_and_print_are_for_people_and_machines,
        every_rule_says_what_it_suits,
    ]
}

/// The snapshot of this suite.
pub const INSPECT: &str = "cli__inspect";

fn abslrp(directory: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_abslrp"));
    command.current_dir(directory).args(args).env_remove("ORT_DYLIB_PATH");
    command.output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// What is emitted gets smaller with every pass. How small is no business of the command line's.
fn without_sizes() -> insta::Settings {
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"\d+ bytes", "[n] bytes");
    settings.add_filter(r"and \d+ (nodes more|more)", "and [n] $1");
    settings.add_filter(r"\S+ multiply-adds become \S+ \(\S+ ×\)", "[n] multiply-adds become [n]");
    settings
}

/// A directory with the digits network and one of its images.
fn with_digits() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    fs::copy(fixture("digits.dynamo20.onnx"), directory.path().join("digits.onnx")).unwrap();
    fs::copy(fixture("digits/3.png"), directory.path().join("3.png")).unwrap();
    directory
}

fn files(directory: &Path) -> Vec<String> {
    let names = fs::read_dir(directory).unwrap();
    let mut names: Vec<_> =
        names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn compiles_verifies_and_explains() {
    let directory = with_digits();
    let run = |args: &[&str]| {
        let output = abslrp(directory.path(), args);
        assert!(output.status.success(), "{args:?}: {}", text(&output.stderr));
        text(&output.stdout)
    };
    let summary = run(&["compile", "digits.onnx", "--target", "argmax", "--verify"]);
    without_sizes().bind(|| {
        insta::assert_snapshot!(summary.lines().take(3).collect::<Vec<_>>().join("\n"), @"
        digits.explained.onnx: [n] bytes, 10 nodes and [n] more
              explains logits (abslrp, target argmax, init value, -O2) across 10 units
              output x_relevance: f32[batch, 1, 8, 8]
        ");
    });
    assert!(summary.contains("ok    output logits: bit-identical"), "{summary}");
    assert!(summary.contains("ok    x_relevance"), "{summary}");

    let report = run(&["verify", "digits.explained.onnx", "--json"]);
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report["holds"], true);
    assert_eq!(report["outputs"][0]["identical"], true);
    run(&["verify", "digits.explained.onnx", "--source", "digits.onnx"]);

    let npy = fs::File::create(directory.path().join("x.npy")).unwrap();
    ndarray_npy::WriteNpyExt::write_npy(&input("digits"), npy).unwrap();
    let report = run(&["verify", "digits.explained.onnx", "--input", "x=x.npy"]);
    assert!(report.contains("input x 10×1×8×8, given"), "{report}");

    let map = run(&["explain", "digits.explained.onnx", "3.png"]);
    assert!(map.contains("logits: class 3 "), "{map}");
    let picture = image::open(directory.path().join("3.relevance.png")).unwrap();
    // The map, and a bar of the colours beside it.
    assert_eq!((picture.width(), picture.height()), (256 + 8 + 16, 256));
    run(&[
        "explain",
        "digits.explained.onnx",
        "3.png",
        "--beside",
        "digits.explained.onnx",
        "--scale",
        "max",
    ]);
    let picture = image::open(directory.path().join("3.relevance.png")).unwrap();
    assert_eq!(picture.width(), 2 * (256 + 8) + 16);
    let npy = fs::File::open(directory.path().join("3.relevance.npy")).unwrap();
    let relevance: ndarray::ArrayD<f32> = ndarray_npy::ReadNpyExt::read_npy(npy).unwrap();
    assert_eq!(relevance.shape(), [1, 1, 8, 8]);
    // What the network sees of a three is relevant, the empty border is not.
    assert!(relevance.sum() > 1.0);
    assert!(relevance.iter().filter(|v| **v == 0.0).count() > 20);
}

/// `web/test.mjs` opens pages; this is what they are made of.
fn a_page_holds_the_model_and_how_it_is_fed() {
    let directory = with_digits();
    let at = |name: &str| directory.path().join(name);
    fs::write(at("labels.txt"), "zero\none\n</script>\n").unwrap();
    let package = at("ort");
    fs::create_dir_all(package.join("dist")).unwrap();
    let run = |args: &[&str]| abslrp(directory.path(), args);
    assert!(run(&["compile", "digits.onnx", "--target", "input:2"]).status.success());
    let write = ["page", "digits.explained.onnx", "-o", "page", "--labels", "labels.txt"];
    let prepared = ["--mean", "0.5", "--std", "0.25"];
    // A folder that is not the package is refused before anything is written.
    let refused = run(&[&write[..], &["--ort-web", "ort"]].concat());
    let message = text(&refused.stderr);
    assert!(message.contains("ort.wasm.min.js") && message.contains("--ort-web"), "{message}");
    assert!(!at("page").exists());
    let written = run(&[&write[..], &prepared, &["--json"]].concat());
    assert!(written.status.success(), "{}", text(&written.stderr));
    let report: serde_json::Value = serde_json::from_slice(&written.stdout).unwrap();
    assert_eq!(report["page"], "page/index.html");
    let names = files(&at("page"));
    let expected = [
        "data",
        "facts.js",
        "files.js",
        "index.html",
        "page.css",
        "page.js",
        "views.js",
        "worker.js",
    ];
    assert_eq!(names, expected);
    let facts = fs::read_to_string(at("page/facts.js")).unwrap();
    let facts = facts.strip_prefix("const facts = ").and_then(|f| f.strip_suffix(";\n")).unwrap();
    let facts: serde_json::Value = serde_json::from_str(facts).unwrap();
    assert_eq!(facts["name"], "digits");
    assert_eq!((&facts["target"], &facts["maps"]), (&"input:2".into(), &2.into()));
    assert_eq!(facts["labels"], serde_json::json!(["zero", "one", "</script>"]));
    assert_eq!(facts["outputs"], serde_json::json!(["logits"]));
    let input = serde_json::json!({
        "name": "x", "type": "float32", "shape": [null, 1, 8, 8], "relevance": "x_relevance",
        "picture": {"axes": [1, 2, 3], "height": 8, "width": 8, "divisor": 255.0, "mean": [0.5], "std": [0.25], "fit": "stretch", "bgr": false},
    });
    assert_eq!(facts["inputs"], serde_json::json!([input]));
    // Scripts hold the model, to the byte.
    let mut compressed = Vec::new();
    for part in facts["model"]["parts"].as_array().unwrap() {
        let script = fs::read_to_string(at("page").join(part.as_str().unwrap())).unwrap();
        let base64 =
            script.strip_prefix("part = \"").and_then(|s| s.strip_suffix("\";\n")).unwrap();
        compressed
            .extend(base64::Engine::decode(&base64::prelude::BASE64_STANDARD, base64).unwrap());
    }
    let mut model = Vec::new();
    std::io::copy(&mut flate2::read::GzDecoder::new(&*compressed), &mut model).unwrap();
    assert_eq!(model, fs::read(at("digits.explained.onnx")).unwrap());
    // What is loaded from elsewhere has to be what it was.
    for (_, place) in
        facts["packages"].as_array().unwrap().iter().map(|p| (&p[0], &p[1]["address"]))
    {
        assert!(place["url"].as_str().unwrap().starts_with("https://"), "{place}");
        assert!(place["integrity"].as_str().unwrap().starts_with("sha384-"), "{place}");
    }
    let plain = run(&["page", "digits.onnx", "-o", "plain"]);
    assert!(text(&plain.stderr).contains("abslrp compile"), "{}", text(&plain.stderr));
}

fn a_colour_picture_and_an_array_are_images_too() {
    let directory = tempfile::tempdir().unwrap();
    fs::copy(fixture("vgg.legacy17.onnx"), directory.path().join("vgg.onnx")).unwrap();
    let picture =
        image::RgbImage::from_fn(50, 40, |x, y| image::Rgb([x as u8 * 5, y as u8 * 6, 90]));
    picture.save(directory.path().join("p.jpg")).unwrap();
    let x = input("vgg");
    let first = x.index_axis(ndarray::Axis(0), 0).to_owned();
    let npy = fs::File::create(directory.path().join("a.npy")).unwrap();
    ndarray_npy::WriteNpyExt::write_npy(&first, npy).unwrap();
    for args in [
        vec![
            "compile",
            "vgg.onnx",
            "-o",
            "e.onnx",
            "--target",
            "input",
            "--rule",
            "abslrp-notebook",
        ],
        vec![
            "explain",
            "e.onnx",
            "p.jpg",
            "--mean",
            "0.5",
            "--std",
            "0.2,0.3,0.4",
            "--target",
            "2",
        ],
        vec!["explain", "e.onnx", "a.npy", "--target", "1", "-o", "b.png"],
    ] {
        let output = abslrp(directory.path(), &args);
        assert!(output.status.success(), "{args:?}: {}", text(&output.stderr));
    }
    let npy = fs::File::open(directory.path().join("b.npy")).unwrap();
    let relevance: ndarray::ArrayD<f32> = ndarray_npy::ReadNpyExt::read_npy(npy).unwrap();
    let want = golden("vgg", "rel.class1");
    let want = want.index_axis(ndarray::Axis(0), 0).insert_axis(ndarray::Axis(0)).to_owned();
    assert!(distance(&relevance.mapv(f64::from), &want) < 1e-3);
}

fn evaluate_tells_rules_from_random_maps() {
    let directory = with_digits();
    let npy = fs::File::create(directory.path().join("x.npy")).unwrap();
    ndarray_npy::WriteNpyExt::write_npy(&input("digits"), npy).unwrap();
    let run = |seed: &str| {
        let args =
            ["evaluate", "digits.onnx", "x.npy", "--rule", "abslrp", "--steps", "16", "--json"];
        let more = ["--plot", "curves.svg", "--seed", seed];
        let output = abslrp(directory.path(), &[&args[..], &more[..]].concat());
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stdout)
    };
    let report = run("1");
    assert_eq!(report, run("1"), "a seed gives one report");
    assert_ne!(report, run("2"));
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    assert_eq!((&report["samples"], &report["regions"]), (&10.into(), &64.into()));
    let method = |name: &str| {
        let methods = report["methods"].as_array().unwrap();
        methods.iter().find(|m| m["method"] == name).unwrap().clone()
    };
    let gap = |name: &str| method(name)["gap"].as_f64().unwrap();
    assert!(gap("abslrp") > gap("random") + 0.3, "{report:#}");
    assert!(gap("random").abs() < 0.3, "{report:#}");
    // Both curves begin with the input as it is and end with nothing of it.
    let (morf, lerf) = (&method("abslrp")["morf"], &method("random")["lerf"]);
    assert_eq!((morf.as_array().unwrap().len(), &morf[0], &morf[16]), (17, &lerf[0], &lerf[16]));
    let consistency = |name: &str| method(name)["gae"]["local_consistency"].as_f64().unwrap();
    assert!(consistency("abslrp") > consistency("random") + 0.2, "{report:#}");
    assert!(fs::read_to_string(directory.path().join("curves.svg")).unwrap().starts_with("<svg"));
}

/// What `evaluate` reports as JSON, of the default rule and random maps.
fn evaluated(directory: &Path, args: &[&str]) -> serde_json::Value {
    let args = [&["evaluate", "--rule", "abslrp", "--no-gae", "--json"], args].concat();
    let output = abslrp(directory, &args);
    assert!(output.status.success(), "{}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn method<'r>(report: &'r serde_json::Value, name: &str) -> &'r serde_json::Value {
    let methods = report["methods"].as_array().unwrap();
    methods.iter().find(|m| m["method"] == name).unwrap()
}

fn curve(report: &serde_json::Value, name: &str) -> Vec<f64> {
    let values = method(report, name)["morf"].as_array().unwrap();
    values.iter().map(|v| v.as_f64().unwrap()).collect()
}

fn gap(report: &serde_json::Value, name: &str) -> f64 {
    method(report, name)["gap"].as_f64().unwrap()
}

fn evaluate_masks_tokens() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    fs::copy(fixture("verification/words.onnx"), at("words.onnx")).unwrap();
    let texts = [[1i64, 5, 3, 5, 2, 5], [5, 3, 5, 4, 1, 5], [5, 5, 4, 5, 3, 2], [2, 5, 4, 5, 5, 1]];
    let mut npz = ndarray_npy::NpzWriter::new(fs::File::create(at("texts.npz")).unwrap());
    npz.add_array("ids", &ndarray::arr2(&texts)).unwrap();
    npz.finish().unwrap();
    let args = ["words.onnx", "texts.npz", "--by", "tokens", "--replace", "0", "--steps", "6"];
    let report = evaluated(directory.path(), &args);
    assert_eq!((&report["samples"], &report["regions"]), (&4.into(), &6.into()));
    assert!(gap(&report, "abslrp") > gap(&report, "random") + 0.1, "{report:#}");
    // Where all words are masked, nothing speaks for either class.
    let (first, last) = (curve(&report, "abslrp")[0], curve(&report, "abslrp")[6]);
    assert!(first > 0.6 && (last - 0.5).abs() < 1e-6, "{report:#}");
}

fn evaluate_reads_tables() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    fs::copy(fixture("cancer.dynamo20.onnx"), at("cancer.onnx")).unwrap();
    let line = |label: &str, cells: Vec<String>| format!("{label},{}", cells.join(","));
    let names = line("benign", (0..30).map(|i| format!("feature {i}")).collect());
    let samples = input("cancer");
    let rows = samples.outer_iter().map(|row| line("1", row.iter().map(f32::to_string).collect()));
    let table: Vec<_> = std::iter::once(names).chain(rows).collect();
    fs::write(at("cancer.csv"), table.join("\n")).unwrap();
    let args = ["cancer.onnx", "cancer.csv", "--label-column", "benign", "--steps", "10"];
    let report = evaluated(directory.path(), &args);
    assert_eq!((&report["samples"], &report["regions"]), (&8.into(), &30.into()));
    assert!(gap(&report, "abslrp") > gap(&report, "random") + 0.05, "{report:#}");
}

fn evaluate_blurs_pictures() {
    let directory = with_digits();
    let npy = |name: &str, array: &ndarray::ArrayD<f32>| {
        let file = fs::File::create(directory.path().join(name)).unwrap();
        ndarray_npy::WriteNpyExt::write_npy(array, file).unwrap();
    };
    npy("digits.npy", &input("digits"));
    npy("plain.npy", &ndarray::ArrayD::from_elem(vec![2, 1, 8, 8], 0.7));
    // How far a curve goes from where it starts.
    let moves = |data: &str, replace: &str| {
        let args = ["digits.onnx", data, "--replace", replace, "--steps", "8"];
        let curve = curve(&evaluated(directory.path(), &args), "abslrp");
        curve.iter().map(|v| (v - curve[0]).abs()).fold(0.0, f64::max)
    };
    // A plain picture is its own blur, and a digit is not.
    assert!(moves("plain.npy", "blur") < 1e-4);
    assert!(moves("plain.npy", "zero") > 1e-2);
    assert!(moves("digits.npy", "blur") > 1e-3);
}

fn data_that_do_not_fit_are_refused_by_what_was_expected() {
    let directory = with_digits();
    let at = |name: &str| directory.path().join(name);
    let npy = |name: &str, array: &ndarray::ArrayD<f64>| {
        ndarray_npy::WriteNpyExt::write_npy(array, fs::File::create(at(name)).unwrap()).unwrap();
    };
    npy("small.npy", &ndarray::ArrayD::zeros(vec![2, 1, 7, 8]));
    npy("nan.npy", &ndarray::ArrayD::from_elem(vec![2, 1, 8, 8], f64::NAN));
    let mut npz = ndarray_npy::NpzWriter::new(fs::File::create(at("labels.npz")).unwrap());
    npz.add_array("x", &ndarray::ArrayD::<f64>::zeros(vec![2, 1, 8, 8])).unwrap();
    npz.add_array("labels", &ndarray::arr1(&[1i64, 2, 3])).unwrap();
    npz.finish().unwrap();
    fs::write(at("short.csv"), "a,b,label\n1,2,0\n").unwrap();
    fs::write(at("words.csv"), "a,b\n1,two\n").unwrap();
    fs::create_dir(at("empty")).unwrap();
    for (data, said) in [
        ("small.npy", "shape [samples, 1, 8, 8], and came with shape [2, 1, 7, 8]"),
        ("nan.npy", "sample 0 of x holds NaN"),
        ("labels.npz", "2 labels are expected, one per sample, and there are 3"),
        ("short.csv", "x takes 64 features, and the table has 2 columns beside the labels"),
        ("words.csv", "line 2, column b: two is not a number"),
        ("empty", "no PNG or JPEG pictures"),
        ("digits.onnx", "not a folder of pictures"),
    ] {
        let output = abslrp(directory.path(), &["evaluate", "digits.onnx", data]);
        assert_eq!(output.status.code(), Some(1), "{data}");
        assert!(text(&output.stderr).contains(said), "{data}: {}", text(&output.stderr));
    }
}

fn wrong_usage_exits_with_2() {
    let directory = with_digits();
    for args in [
        &["compile"][..],
        &["compile", "digits.onnx", "-O7"],
        &["compile", "digits.onnx", "--rule", "nonsense"],
        &["compile", "digits.onnx", "--rule", "epsilon:gamma=1"],
        &["compile", "digits.onnx", "--target", "-1"],
        &["frobnicate"],
    ] {
        let output = abslrp(directory.path(), args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(!output.stderr.is_empty());
    }
    assert_eq!(files(directory.path()), ["3.png", "digits.onnx"]);
}

fn failures_exit_with_1_name_the_file_and_leave_nothing() {
    let directory = with_digits();
    let fail = |args: &[&str]| {
        let output = abslrp(directory.path(), args);
        assert_eq!(output.status.code(), Some(1), "{args:?}");
        assert_eq!(files(directory.path()), ["3.png", "digits.onnx"], "{args:?}");
        text(&output.stderr)
    };
    insta::assert_snapshot!(fail(&["compile", "missing.onnx"]), @"error: missing.onnx: No such file or directory (os error 2)");
    insta::assert_snapshot!(fail(&["compile", "3.png"]), @"error: 3.png: not an ONNX model, or a damaged one: failed to decode Protobuf message: invalid tag value: 0");
    insta::assert_snapshot!(fail(&["compile", "digits.onnx", "-o", "digits.onnx"]), @"error: digits.onnx: the output would overwrite a file that is read; name another file");
    insta::assert_snapshot!(fail(&["compile", "digits.onnx", "--output", "logit"]), @"error: digits.onnx: there is no tensor 'logit'; there is logits; choose a tensor with --output");
    insta::assert_snapshot!(fail(&["compile", "digits.onnx", "--target", "10"]), @"error: digits.onnx: there is no class 10: there are only 10, counted from 0; choose with --target argmax, an index, or input");
    insta::assert_snapshot!(fail(&["compile", "digits.onnx", "--relevance-of", "0.weight"]), @"error: digits.onnx: no relevance reaches the tensor '0.weight' as such: it depends on no input, does not lead to the explained tensor, or lies within a layer; `abslrp inspect` shows the layers");
    insta::assert_snapshot!(fail(&["compile", "digits.onnx", "-o", "no/such/place.onnx"]), @"error: no/such/place.onnx: entity not found");
    insta::assert_snapshot!(fail(&["verify", "digits.onnx"]), @"error: digits.onnx: not a model that abslrp has explained; make one with `abslrp compile`");
    insta::assert_snapshot!(fail(&["explain", "digits.onnx", "3.png"]), @"error: digits.onnx: there is no output x_relevance: explain it first with `abslrp compile`");
    let verified = ["compile", "digits.onnx", "--verify", "--ort-lib", "missing.so"];
    insta::assert_snapshot!(fail(&verified), @"error: missing.so: no such library; name an ONNX Runtime library, `libonnxruntime.so`, with --ort-lib or ORT_DYLIB_PATH");
    insta::assert_snapshot!(fail(&["verify", "digits.onnx", "--ort-lib", "missing.so"]), @"error: digits.onnx: not a model that abslrp has explained; make one with `abslrp compile`");
}

/// The digits network with an operator in the middle that nobody knows.
fn with_unknown_operator(directory: &Path) {
    let path = directory.join("digits.onnx");
    let bytes = fs::read(&path).unwrap();
    let mut proto = ModelProto::decode(bytes.as_slice()).unwrap();
    let node = &mut proto.graph.as_mut().unwrap().node[3];
    (node.op_type, node.domain) = (Some("Frobnicate".into()), Some("com.example".into()));
    fs::write(&path, proto.encode_to_vec()).unwrap();
}

fn an_operator_without_a_rule_is_an_error_or_a_cut() {
    let directory = with_digits();
    with_unknown_operator(directory.path());
    let output = abslrp(directory.path(), &["compile", "digits.onnx"]);
    assert_eq!(output.status.code(), Some(1));
    insta::assert_snapshot!(text(&output.stderr), @"error: digits.onnx: node 'node_relu_1' (com.example.Frobnicate, opset 20): the operator com.example.Frobnicate cannot be explained; rewrite the model without it, or cut relevance there with --on-unsupported stop");
    let output = abslrp(directory.path(), &["inspect", "digits.onnx"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).contains("unsupported: node 'node_relu_1'"));

    // Everything is behind the cut: nothing is left to emit.
    let cut = ["compile", "digits.onnx", "--on-unsupported", "stop"];
    let output = abslrp(directory.path(), &cut);
    assert_eq!(output.status.code(), Some(1));
    insta::assert_snapshot!(text(&output.stderr), @"error: digits.onnx: no relevance of 'logits' reaches an input: it ends at node 'node_relu_1' (com.example.Frobnicate, opset 20): the operator com.example.Frobnicate cannot be explained; choose a tensor with --output");

    // Where there is another way, the cut is listed.
    let path = directory.path().join("branches.onnx");
    let bytes = fs::read(fixture("forms/sub.op17.onnx")).unwrap();
    let mut proto = ModelProto::decode(bytes.as_slice()).unwrap();
    let graph = proto.graph.as_mut().unwrap();
    (graph.node[0].op_type, graph.node[0].domain) =
        (Some("Frobnicate".into()), Some("com.example".into()));
    let mut info = graph.input[0].clone();
    info.name = Some("h".into());
    graph.value_info.push(info);
    fs::write(&path, proto.encode_to_vec()).unwrap();
    let args = ["compile", "branches.onnx", "--on-unsupported", "stop", "--json"];
    let output = abslrp(directory.path(), &args);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(json["summary"]["cut"][0].as_str().unwrap().contains("com.example.Frobnicate"));
    let model = Model::open(directory.path().join("branches.explained.onnx"));
    assert!(model.unwrap().metadata("abslrp.cut").unwrap().contains("com.example.Frobnicate"));
}

fn presets_may_hit_nothing_and_are_verified_as_they_were_compiled() {
    let directory = tempfile::tempdir().unwrap();
    let source = fixture("cancer.legacy17.onnx");
    let source = source.to_str().unwrap();
    let args = ["compile", source, "-o", "e.onnx", "--composite", "epsilon-plus", "--verify"];
    let output = abslrp(directory.path(), &args);
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
}

fn values_as_small_as_epsilon_are_told_from_ill_conditioning() {
    let directory = tempfile::tempdir().unwrap();
    let source = fixture("lenet.legacy17.onnx");
    let rule = ["--rule", "abslrp-notebook"];
    let args = [&["compile", source.to_str().unwrap(), "-o", "e.onnx"][..], &rule].concat();
    assert!(abslrp(directory.path(), &args).status.success());
    let npy = fs::File::create(directory.path().join("x.npy")).unwrap();
    let tiny = input("lenet").mapv(|x| x * 1e-9);
    ndarray_npy::WriteNpyExt::write_npy(&tiny, npy).unwrap();
    let output = abslrp(directory.path(), &["verify", "e.onnx", "--input", "x=x.npy"]);
    let report = text(&output.stdout);
    assert!(!output.status.success() && report.contains("FAIL  x_relevance"), "{report}");
    assert!(report.contains("far above ε") && !report.contains("ill-conditioned on"), "{report}");
}

fn the_readme_lists_the_operators_there_are() {
    let table = abslrp(&std::env::temp_dir(), &["inspect", "--operators"]);
    assert!(include_str!("../../README.md").contains(text(&table.stdout).trim_end()));
}

fn without_onnx_runtime_there_is_one_clear_error() {
    let directory = with_digits();
    assert!(abslrp(directory.path(), &["compile", "digits.onnx", "-o", "e.onnx"]).status.success());
    fs::write(directory.path().join("bad.so"), "not a library").unwrap();
    let output = abslrp(directory.path(), &["verify", "e.onnx", "--ort-lib", "bad.so"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).starts_with("error: bad.so: not a usable ONNX Runtime"));

    // Nothing beside the program, nothing in the cache, no Python.
    let program = directory.path().join("abslrp");
    fs::copy(env!("CARGO_BIN_EXE_abslrp"), &program).unwrap();
    let bare = |args: &[&str]| {
        let mut command = Command::new(&program);
        command.current_dir(directory.path()).args(args).env_clear();
        command
            .env("PATH", directory.path())
            .env("ABSLRP_CACHE", directory.path().join("cache"))
            .output()
            .unwrap()
    };
    let output = bare(&["verify", "e.onnx", "--no-fetch"]);
    insta::assert_snapshot!(text(&output.stderr), @"error: ONNX Runtime was not found (fetching it was forbidden); `python3 -m pip install onnxruntime` installs it; name an ONNX Runtime library, `libonnxruntime.so`, with --ort-lib or ORT_DYLIB_PATH");
    let output = bare(&["verify", "e.onnx"]);
    assert!(text(&output.stderr).contains("python3 -m pip install onnxruntime"));
    assert_eq!(output.status.code(), Some(1));
    // The doctor says of each runtime how to get it.
    let output = bare(&["doctor"]);
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stdout);
    for what in ["pip install onnxruntime", "pip install openvino", "no Node.js"] {
        assert!(said.lines().any(|line| line.starts_with("none") && line.contains(what)), "{said}");
    }
}

fn the_doctor_says_what_there_is() {
    let directory = tempfile::tempdir().unwrap();
    let library = abslrp::verify::runtime::locate(&runtime()).unwrap();
    let library = library.to_str().unwrap();
    let output = abslrp(directory.path(), &["doctor", "--ort-lib", library]);
    assert!(output.status.success());
    let found = format!("ok    ONNX Runtime, for all that runs models: {library}");
    assert!(text(&output.stdout).lines().any(|line| line == found), "{}", text(&output.stdout));
    let output = abslrp(directory.path(), &["doctor", "--json", "--ort-lib", library]);
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["onnxruntime"]["devices"][0], "cpu");
    for other in ["openvino", "web"] {
        let other = &report["others"][other];
        assert!(other["version"].is_string() != other["error"].is_string(), "{report}");
    }
}

fn shells_complete_and_manuals_are_read() {
    let directory = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let output = abslrp(directory.path(), &["completions", shell]);
        assert!(output.status.success());
        assert!(text(&output.stdout).contains("relevance-of"), "{shell}");
    }
    let manual = text(&abslrp(directory.path(), &["man"]).stdout);
    for title in ["abslrp", "abslrp-compile", "abslrp-doctor"] {
        assert!(manual.contains(&format!(".TH {title} 1")), "{title}");
    }
}

/// `runtimes/verify.py` verifies on runtimes as they are. Here, what takes the place of one says what it is told to.
#[cfg(unix)]
fn another_runtime_is_judged_by_what_it_says() {
    let directory = with_digits();
    let at = |name: &str| directory.path().join(name);
    assert!(abslrp(directory.path(), &["compile", "digits.onnx", "-o", "e.onnx"]).status.success());
    let x = input("digits");
    ndarray_npy::write_npy(at("x.npy"), &x).unwrap();
    // No Python that has it, and no Node.js.
    let library = abslrp::verify::runtime::locate(&runtime()).unwrap();
    let verify = |path: &Path, on: &str, json: bool| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_abslrp"));
        command.args(["verify", "e.onnx", "--input", "x=x.npy", "--runtime", on, "--ort-lib"]);
        command.arg(&library).args(json.then_some("--json")).env("PATH", path);
        command.current_dir(directory.path()).output().unwrap()
    };
    fs::create_dir(at("bin")).unwrap();
    for (on, what) in [("openvino", "python3 -m pip install openvino"), ("web", "no Node.js")] {
        let output = verify(&at("bin"), on, false);
        assert_eq!(output.status.code(), Some(1));
        assert!(text(&output.stderr).contains(what), "{}", text(&output.stderr));
    }
    let script = format!(
        "#!/bin/sh\ncase \"$*\" in *find_spec*) exit 0;; esac\necho '{{\"version\": \"7\"}}'\n\
         while read -r question; do read -r answer <&3; printf '%s\\n' \"$answer\"; done 3< {}\n",
        at("answers").display()
    );
    fs::write(at("bin/python3"), script).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(at("bin/python3"), mode).unwrap();
    let right = runner(&at("e.onnx"), false).run(&feed("x", &x)).unwrap();
    // An answer, with relevance times a factor.
    let answer = |name: &str, factor: f32| {
        let outputs = right.iter().map(|(output, array)| {
            let factor = if output == "x_relevance" { factor } else { 1.0 };
            let numbers = array.numbers();
            let bytes: Vec<u8> =
                numbers.iter().flat_map(|v| (*v as f32 * factor).to_le_bytes()).collect();
            let file = at(&format!("{name}.{output}"));
            fs::write(&file, bytes).unwrap();
            let shape = array.shape();
            serde_json::json!({"name": output, "type": "float32", "shape": shape, "file": file})
        });
        serde_json::json!({ "outputs": outputs.collect::<Vec<_>>() }).to_string()
    };
    let refusal = serde_json::json!({"error": "no such\n  operator"}).to_string();
    let said = |answers: &[&str]| {
        fs::write(at("answers"), answers.join("\n") + "\n").unwrap();
        let output = verify(&at("bin"), "openvino", true);
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        assert_eq!(report["holds"] == true, output.status.success());
        (report["elsewhere"].clone(), text(&output.stderr))
    };
    let (same, other) = (answer("same", 1.0), answer("other", 1.02));
    let (report, _) = said(&[&same, &same, &same, &same]);
    assert_eq!((&report["holds"], &report["runtime"]), (&true.into(), &"OpenVINO 7".into()));
    assert_eq!(report["outputs"][0]["holds"], true);
    let (report, _) = said(&[&same, &other, &other, &other]);
    assert_eq!(report["relevance"][0]["faults"][0]["fault"], "runtimes");
    // It moves there, and its levels are apart.
    let (report, _) = said(&[&same, &same, &other, &same]);
    assert_eq!(report["relevance"][0]["faults"][0]["fault"], "moves");
    let (report, _) = said(&[&same, &same, &same, &other]);
    assert_eq!(report["relevance"][0]["faults"][0]["fault"], "levels");
    let (report, _) = said(&[&same, &refusal]);
    assert_eq!((&report["holds"], &report["refusal"]), (&false.into(), &"no such operator".into()));
    let (_, message) = said(&[&refusal]);
    assert!(message.contains("does not run the source") && message.contains("no such operator"));
    // It ends instead of answering.
    let (report, _) = said(&[&same]);
    assert_eq!(report["refusal"], "it crashed");
}

#[cfg(not(unix))]
fn another_runtime_is_judged_by_what_it_says() {}

fn cuda_fails_cleanly_where_there_is_none() {
    if Path::new("/dev/nvidia0").exists() {
        return;
    }
    let directory = with_digits();
    assert!(abslrp(directory.path(), &["compile", "digits.onnx", "-o", "e.onnx"]).status.success());
    let output = abslrp(directory.path(), &["verify", "e.onnx", "--device", "cuda"]);
    assert_eq!(output.status.code(), Some(1));
    let message = text(&output.stderr);
    assert!(message.starts_with("error: ONNX Runtime cannot use CUDA here"), "{message}");
}

fn bench_runs_the_plain_and_the_explained_models() {
    let directory = with_digits();
    let args = ["bench", "digits.onnx", "--rounds", "3", "--threads", "1", "--profile", "--json"];
    let output = abslrp(directory.path(), &args);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let variants = report["variants"].as_array().unwrap();
    let names: Vec<_> = variants.iter().map(|v| v["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["plain", "-O0", "-O2"]);
    for variant in variants {
        assert!(variant["seconds"].as_f64().unwrap() > 0.0, "{variant}");
        assert!(variant["alone"]["load"].as_f64().unwrap() > 0.0, "{variant}");
        let kernels = variant["kernels"].as_array().unwrap();
        assert!(kernels.iter().any(|kernel| kernel["operator"] == "Conv"), "{variant}");
    }
    assert_eq!(files(directory.path()), ["3.png", "digits.onnx"]);
}

fn passes_are_chosen_by_name() {
    let directory = with_digits();
    let passes = |selection: &str| {
        let output = abslrp(directory.path(), &["inspect", "digits.onnx", "--passes", selection]);
        let lines = text(&output.stdout);
        let line = lines.lines().find(|line| line.starts_with("passes")).map(String::from);
        line.ok_or(text(&output.stderr))
    };
    assert_eq!(passes("masks,dead-nodes").unwrap(), "passes at -O2: masks, dead-nodes");
    assert!(!passes("-masks").unwrap().contains("masks"));
    assert!(passes("mask").unwrap_err().contains("there is no pass 'mask'; there is twin-folding"));
    assert!(passes("masks,-cofactors").unwrap_err().contains("either all names have a - before"));
    let options = ["compile", "digits.onnx", "--passes=-masks", "--bake-twins", "--verify"];
    let output = abslrp(directory.path(), &options);
    assert!(output.status.success(), "{}", text(&output.stderr));
}

fn a_changed_model_fails_verification() {
    let directory = with_digits();
    assert!(abslrp(directory.path(), &["compile", "digits.onnx", "-o", "e.onnx"]).status.success());
    // A weight of the explained model is changed behind verification's back.
    let path = directory.path().join("e.onnx");
    let mut proto = ModelProto::decode(fs::read(&path).unwrap().as_slice()).unwrap();
    let tensor = &mut proto.graph.as_mut().unwrap().initializer[1];
    let raw: Vec<u8> = tensor.raw_data().iter().map(|b| b ^ 1).collect();
    tensor.raw_data = Some(raw.into());
    fs::write(&path, proto.encode_to_vec()).unwrap();
    let output = abslrp(directory.path(), &["verify", "e.onnx", "--source", "digits.onnx"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).contains("FAIL  output logits: NOT bit-identical"));
}

fn inspect_and_print_are_for_people_and_machines() {
    let directory = with_digits();
    let output = abslrp(directory.path(), &["inspect", "digits.onnx"]);
    without_sizes().bind(|| snapshot(INSPECT, &text(&output.stdout)));
    let output = abslrp(directory.path(), &["inspect", "digits.onnx", "--json"]);
    let plan: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(plan["units"].as_array().unwrap().len(), 10);
    assert_eq!(plan["kinds"]["weighted"], 4);
    let output = abslrp(directory.path(), &["print", "digits.onnx"]);
    assert!(text(&output.stdout).starts_with("ir 10, opset 20\ninput  x: f32[batch, 1, 8, 8]\n"));
}

fn every_rule_says_what_it_suits() {
    let rules = abslrp(Path::new("."), &["rules", "--json"]);
    let rules: Vec<serde_json::Value> = serde_json::from_slice(&rules.stdout).unwrap();
    assert_eq!(rules.len(), abslrp::rules::ALL.len());
    let listed = text(&abslrp(Path::new("."), &["rules"]).stdout);
    for rule in rules {
        let suits = rule["suits"].as_str().unwrap();
        assert!(
            suits.starts_with("Suits ") && listed.contains(suits),
            "{}: '{suits}'",
            rule["name"]
        );
    }
}
