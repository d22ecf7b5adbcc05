//! `abslrp explain` on texts, tables and recordings: what is fed is what the package `tokenizers` makes of a text, or what
//! was written to the file, and what is shown is what the explained model gives for that.

use std::{fs, path::Path, process::Command};

use libtest_mimic::Trial;
use ndarray::{ArrayD, IxDyn};
use serde_json::{Value, json};

use crate::common::{
    Array, Model, ModelProto, Options, Target, compile, dimension, distance, fixture, input, run,
    trials, type_proto,
};

pub fn trials() -> Vec<Trial> {
    trials![
        texts_are_fed_as_hugging_face_does,
        a_tagger_is_asked_for_a_token,
        a_decoder_begins_with_empty_caches,
        a_text_fills_a_fixed_length,
        ids_and_embeddings_are_texts_too,
        a_text_is_shown_in_the_terminal,
        a_text_is_shown_in_html,
        texts_that_do_not_fit_are_refused_by_what_was_expected,
        rows_of_a_table_are_explained,
        each_row_is_asked_for_its_own_class,
        columns_go_to_the_inputs_of_their_names,
        a_table_is_shown_in_the_terminal_and_in_html,
        tables_that_do_not_fit_are_refused_by_what_was_expected,
        recordings_are_explained,
        leads_lie_below_each_other,
    ]
}

/// A folder with an explained model of `fixtures/texts`, and its tokenizer.
fn place(model: &str, options: &Options) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    compile(&fixture(&format!("texts/{model}.onnx")), options, directory.path());
    let tokenizer = if model == "writer" { "gpt2" } else { "bert" };
    let tokenizer = fixture(&format!("texts/{tokenizer}.json"));
    fs::copy(tokenizer, directory.path().join("tokenizer.json")).unwrap();
    directory
}

fn abslrp(directory: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_abslrp"));
    for variable in ["NO_COLOR", "CLICOLOR_FORCE", "COLORTERM"] {
        command.env_remove(variable);
    }
    command.current_dir(directory).args(["explain", "explained.onnx"]).args(args);
    command
}

fn succeeds(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// What `explain` says of a text, as JSON, and the relevance that it writes.
fn explained(directory: &Path, args: &[&str]) -> (Value, ArrayD<f64>) {
    let more = ["--tokenizer", "tokenizer.json", "-o", "map.npy", "--json"];
    let said = succeeds(&mut abslrp(directory, &[args, &more].concat()));
    (serde_json::from_str(&said).unwrap(), read(&directory.join("map.npy")))
}

fn read(path: &Path) -> ArrayD<f64> {
    let file = fs::File::open(path).unwrap();
    let array: ArrayD<f32> = ndarray_npy::ReadNpyExt::read_npy(file).unwrap();
    array.mapv(f64::from)
}

fn write<T: ndarray_npy::WritableElement>(path: &Path, array: &ArrayD<T>) {
    ndarray_npy::WriteNpyExt::write_npy(array, fs::File::create(path).unwrap()).unwrap();
}

/// The texts of a model with what they are encoded as.
fn encoded(model: &str) -> Vec<Value> {
    let bytes = fs::read(fixture("texts/encoded.json")).unwrap();
    let all: Value = serde_json::from_slice(&bytes).unwrap();
    all[model].as_array().unwrap().clone()
}

fn integers(value: &Value) -> Vec<i64> {
    value.as_array().unwrap().iter().map(|n| n.as_i64().unwrap()).collect()
}

/// One line of whole numbers, as an input.
fn line(name: &str, numbers: Vec<i64>) -> (String, Array) {
    let array = ArrayD::from_shape_vec(IxDyn(&[1, numbers.len()]), numbers).unwrap();
    (name.into(), Array::Int64(array))
}

/// What an encoder is fed for an encoding.
fn feeds(case: &Value) -> Vec<(String, Array)> {
    let ids = integers(&case["ids"]);
    vec![
        line("attention_mask", vec![1; ids.len()]),
        line("input_ids", ids),
        line("token_type_ids", integers(&case["types"])),
    ]
}

/// The options that give a text or a pair.
fn text_of(case: &Value) -> Vec<&str> {
    match &case["text"] {
        Value::Array(pair) => {
            vec!["--text", pair[0].as_str().unwrap(), "--text-pair", pair[1].as_str().unwrap()]
        }
        text => vec!["--text", text.as_str().unwrap()],
    }
}

fn argmax() -> Options {
    Options { target: Target::Argmax, ..Options::default() }
}

fn texts_are_fed_as_hugging_face_does() {
    let directory = place("sentiment", &argmax());
    let at = directory.path();
    for case in encoded("sentiment") {
        let (said, map) = explained(at, &text_of(&case));
        let model = at.join("explained.onnx");
        let want = run(&model, true, &feeds(&case), "input_ids_relevance");
        assert!(distance(&map, &want) < 1e-6, "{case}");
        let map = &said["models"][0]["maps"][0];
        let tokens = map["tokens"].as_array().unwrap();
        let names: Vec<_> = tokens.iter().map(|token| token["token"].clone()).collect();
        assert_eq!(Value::Array(names), case["tokens"]);
        // The class is called what the model's metadata call it, and is the largest.
        let scores = run(&model, true, &feeds(&case), "logits");
        let good = scores[[0, 1]] > scores[[0, 0]];
        assert_eq!(map["for"], if good { "good" } else { "bad" });
        // Nothing is lost where pieces become words, and words are those of the text.
        let words = map["words"].as_array().unwrap();
        let sum: f64 = words.iter().map(|word| word["relevance"].as_f64().unwrap()).sum();
        assert!((sum - want.sum()).abs() <= 1e-6 * want.iter().map(|r| r.abs()).sum::<f64>());
        let written = words.iter().map(|word| word["word"].as_str().unwrap());
        let written: String = written.filter(|word| !word.starts_with('[')).collect();
        let text = text_of(&case).into_iter().filter(|text| !text.starts_with("--"));
        assert_eq!(written, text.collect::<String>().replace(' ', ""));
    }
}

fn a_tagger_is_asked_for_a_token() {
    let directory = place("tagger", &Options { target: Target::Input, ..Options::default() });
    let at = directory.path();
    let case = encoded("tagger").remove(0);
    let args = [&text_of(&case)[..], &["--target-token", "-5"]].concat();
    let (said, map) = explained(at, &args);
    let place = integers(&case["ids"]).len() - 5;
    let target = Array::Int64(ndarray::arr1(&[place as i64]).into_dyn());
    let asked = [feeds(&case), vec![("target".into(), target)]].concat();
    let model = at.join("explained.onnx");
    let want = run(&model, true, &asked, "input_ids_relevance");
    assert!(distance(&map, &want) < 1e-6);
    let token = case["tokens"][place].as_str().unwrap();
    assert_eq!(said["models"][0]["maps"][0]["for"], format!("token {place} {token}"));
    // Every token has the tag that the model gives it.
    let scores = run(&model, true, &asked, "logits");
    let tags = ["none", "person", "place"];
    for (place, said) in said["models"][0]["predictions"].as_array().unwrap().iter().enumerate() {
        let row: Vec<_> = (0..3).map(|tag| scores[[0, place, tag]]).collect();
        let best = (0..3).max_by(|a, b| row[*a].total_cmp(&row[*b])).unwrap();
        assert_eq!(said["best"][0]["name"], tags[best]);
    }
}

fn a_decoder_begins_with_empty_caches() {
    let options =
        Options { select: Some(":,-1".parse().unwrap()), class_axis: Some(2), ..argmax() };
    let directory = place("writer", &options);
    let at = directory.path();
    for case in encoded("writer") {
        let (said, map) = explained(at, &text_of(&case));
        let ids = integers(&case["ids"]);
        let count = ids.len() as i64;
        let mut feeds = vec![
            line("attention_mask", vec![1; ids.len()]),
            line("position_ids", (0..count).collect()),
            line("input_ids", ids),
        ];
        for layer in 0..2 {
            for kind in ["key", "value"] {
                let empty = Array::Float32(ArrayD::zeros(IxDyn(&[1, 2, 0, 8])));
                feeds.push((format!("past_key_values.{layer}.{kind}"), empty));
            }
        }
        let model = at.join("explained.onnx");
        let want = run(&model, true, &feeds, "input_ids_relevance");
        assert!(distance(&map, &want) < 1e-6, "{case}");
        // The token that comes next is told, by the last one's scores.
        let scores = run(&model, true, &feeds, "logits");
        let last = scores.index_axis(ndarray::Axis(1), count as usize - 1).into_owned();
        let best = last.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).unwrap();
        let prediction = &said["models"][0]["predictions"][0];
        assert_eq!(prediction["best"][0]["class"], json!(best.0));
    }
}

fn a_text_fills_a_fixed_length() {
    const LENGTH: usize = 32;
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    let model = Model::open(fixture("texts/sentiment.onnx")).unwrap();
    let mut proto = ModelProto::clone(model.proto());
    for info in &mut proto.graph.as_mut().unwrap().input {
        let Some(type_proto::Value::TensorType(tensor)) = &mut info.r#type.as_mut().unwrap().value
        else {
            panic!("a tensor");
        };
        tensor.shape.as_mut().unwrap().dim[1].value =
            Some(dimension::Value::DimValue(LENGTH as i64));
    }
    let fixed = at.join("fixed.onnx");
    fs::write(&fixed, prost::Message::encode_to_vec(&proto)).unwrap();
    compile(&fixed, &argmax(), at);
    fs::copy(fixture("texts/bert.json"), at.join("tokenizer.json")).unwrap();
    let case = encoded("sentiment").remove(0);
    let (said, map) = explained(at, &text_of(&case));
    // Filled up with the padding token, which is 0, and masked there.
    let filled = |mut numbers: Vec<i64>| {
        numbers.resize(LENGTH, 0);
        numbers
    };
    let ids = integers(&case["ids"]);
    let feeds = vec![
        line("attention_mask", filled(vec![1; ids.len()])),
        line("input_ids", filled(ids.clone())),
        line("token_type_ids", filled(vec![])),
    ];
    let want = run(&at.join("explained.onnx"), true, &feeds, "input_ids_relevance");
    assert!(distance(&map, &want) < 1e-6);
    let tokens = said["models"][0]["maps"][0]["tokens"].as_array().unwrap();
    assert_eq!(tokens.len(), ids.len());
    let long = "the plot was dull and ".repeat(9);
    let args = ["--text", &long, "--tokenizer", "tokenizer.json"];
    let output = abslrp(at, &args).output().unwrap();
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(message.contains("tokens, and the input input_ids takes 32"), "{message}");
}

fn ids_and_embeddings_are_texts_too() {
    let directory = place("sentiment", &argmax());
    let at = directory.path();
    let case = encoded("sentiment").remove(0);
    let ids = integers(&case["ids"]);
    let array = ArrayD::from_shape_vec(IxDyn(&[ids.len()]), ids).unwrap();
    write(&at.join("ids.npy"), &array);
    let (said, map) = explained(at, &["ids.npy"]);
    let want = run(&at.join("explained.onnx"), true, &feeds(&case), "input_ids_relevance");
    assert!(distance(&map, &want) < 1e-6);
    // The tokenizer names them.
    let tokens = said["models"][0]["maps"][0]["tokens"].as_array().unwrap();
    let names: Vec<_> = tokens.iter().map(|token| token["token"].clone()).collect();
    assert_eq!(Value::Array(names), case["tokens"]);

    // A token's relevance is the sum over what it is embedded as.
    compile(&fixture("attention/bert.dynamo20.onnx"), &argmax(), at);
    let x = input("attention/bert");
    let first = x.slice_axis(ndarray::Axis(0), ndarray::Slice::from(..1)).into_owned().into_dyn();
    write(&at.join("x.npy"), &first);
    let (said, map) = explained(at, &["x.npy"]);
    assert_eq!(map.shape(), [1, 6, 24]);
    let sums = map.sum_axis(ndarray::Axis(2));
    let tokens = said["models"][0]["maps"][0]["tokens"].as_array().unwrap();
    assert_eq!(tokens.len(), 6);
    for (token, sum) in tokens.iter().zip(&sums) {
        assert!((token["relevance"].as_f64().unwrap() - sum).abs() < 1e-6, "{token} {sum}");
    }
}

fn a_text_is_shown_in_the_terminal() {
    let directory = place("sentiment", &argmax());
    let at = directory.path();
    let args = ["--text", "The plot was dull!", "--tokenizer", "tokenizer.json"];
    let plain = succeeds(&mut abslrp(at, &args));
    // A line for each word, and no colour where there is no terminal.
    assert!(!plain.contains('\x1b'), "{plain}");
    let words: Vec<_> = plain.lines().skip(2).map_while(|line| line.split(' ').next()).collect();
    assert_eq!(words[..8], ["[CLS]", "The", "plot", "was", "dull", "!", "[SEP]", ""]);
    assert!(plain.starts_with("explained.onnx: logits for bad (abslrp); Σ R = "), "{plain}");
    assert!(plain.contains("\nlogits: bad (0) "), "{plain}");
    let forced = |command: &mut Command| {
        succeeds(command.env("CLICOLOR_FORCE", "1").env("COLORTERM", "truecolor"))
    };
    let coloured = forced(&mut abslrp(at, &args));
    assert!(coloured.contains("\x1b[48;2;"), "{coloured}");
    assert_eq!(forced(abslrp(at, &args).env("NO_COLOR", "1")), plain);
    assert_eq!(fs::read_dir(at).unwrap().count(), 2, "nothing is written");
}

fn a_text_is_shown_in_html() {
    let directory = place("sentiment", &argmax());
    let at = directory.path();
    fs::write(at.join("review.txt"), "<b>The</b> plot was dull").unwrap();
    let args = ["review.txt", "--tokenizer", "tokenizer.json", "-o", "map.html"];
    succeeds(&mut abslrp(at, &args));
    let html = fs::read_to_string(at.join("map.html")).unwrap();
    assert!(!html.contains("<b>") && !html.contains("<script"), "{html}");
    assert!(html.contains(">dull</span>") && html.contains(">&lt;</span>"), "{html}");
    assert_eq!(read(&at.join("map.npy")).ndim(), 2);
}

fn texts_that_do_not_fit_are_refused_by_what_was_expected() {
    let directory = place("sentiment", &argmax());
    let at = directory.path();
    fs::copy(fixture("texts/gpt2.json"), at.join("gpt2.json")).unwrap();
    fs::write(at.join("names.txt"), "bad\nfair\ngood\n").unwrap();
    let damaged =
        fs::read_to_string(at.join("tokenizer.json")).unwrap().replace("\"WordPiece\"", "?");
    fs::write(at.join("damaged.json"), damaged).unwrap();
    write(&at.join("ids.npy"), &ArrayD::<i64>::zeros(IxDyn(&[2, 3])));
    fs::write(at.join("review.txt"), [0xff, 0xfe]).unwrap();
    let before = fs::read_dir(at).unwrap().count();
    let fail = |args: &[&str]| {
        let output = abslrp(at, args).args(["-o", "map.html"]).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{args:?}");
        assert_eq!(fs::read_dir(at).unwrap().count(), before, "{args:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    let text = ["--text", "dull", "--tokenizer", "tokenizer.json"];
    insta::assert_snapshot!(fail(&["--text", "Turin", "--tokenizer", "gpt2.json"]), @"error: explained.onnx: the token Tur has the id 308, and the model knows those below 120: this is the tokenizer of another model");
    insta::assert_snapshot!(fail(&["--text", "dull", "--tokenizer", "names.txt"]), @"error: explained.onnx: names.txt: no tokenizer.json that can be read: expected value at line 1 column 1");
    let message = fail(&["--text", "dull", "--tokenizer", "damaged.json"]);
    let what = "damaged.json: no tokenizer.json that can be read: expected value at line ";
    assert!(message.contains(what) && !message.contains("panicked"), "{message}");
    insta::assert_snapshot!(fail(&["review.txt"]), @"error: review.txt: invalid utf-8 sequence of 1 bytes from index 0");
    insta::assert_snapshot!(fail(&["ids.npy"]), @"error: ids.npy: ids came with [2, 3], and one text is explained at a time: [1, …]");
    insta::assert_snapshot!(fail(&[&text[..], &["--target-token", "1"]].concat()), @"error: explained.onnx: the model scores the whole text, and no tokens: there is none to choose with --target-token");
    insta::assert_snapshot!(fail(&[&text[..], &["--target", "good"]].concat()), @"error: explained.onnx: the model was compiled with --target argmax and is asked for 0 classes, and 1 came; one that is asked for a class is compiled with --target input");
    insta::assert_snapshot!(fail(&[&text[..], &["--labels", "names.txt"]].concat()), @"error: explained.onnx: --labels has 3 names, and the output logits has 2 scores");
    insta::assert_snapshot!(fail(&[&text[..], &["--patch", "2"]].concat()), @"error: explained.onnx: --patch is for images");
    insta::assert_snapshot!(fail(&[&text[..], &["--input", "mask=ids.npy"]].concat()), @"error: the model has no input 'mask'; it has input_ids, attention_mask, token_type_ids");

    let tagger = place("tagger", &argmax());
    let args = [&text[..], &["--target-token", "1"]].concat();
    let message = abslrp(tagger.path(), &args).output().unwrap().stderr;
    insta::assert_snapshot!(String::from_utf8(message).unwrap(), @"error: explained.onnx: the model was compiled with --target argmax, so that no token can be chosen when it runs; for one that is chosen then, compile it with --target input --class-axis 1 (and --select ':,:,CLASS' for one class), or for token 1 alone with --select ':,1'");
}

/// A folder with one explained model.
fn with(model: &str, options: &Options) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    compile(&fixture(model), options, directory.path());
    directory
}

/// What `explain` says as JSON, and the relevance that it writes.
fn shown(directory: &Path, args: &[&str]) -> (Value, ArrayD<f64>) {
    let said = succeeds(&mut abslrp(directory, &[args, &["-o", "map.npy", "--json"]].concat()));
    (serde_json::from_str(&said).unwrap(), read(&directory.join("map.npy")))
}

/// What `explain` complains of; nothing is written.
fn refused(directory: &Path, args: &[&str]) -> String {
    let before = fs::read_dir(directory).unwrap().count();
    let output = abslrp(directory, args).args(["-o", "map.html"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{args:?}");
    assert_eq!(fs::read_dir(directory).unwrap().count(), before, "{args:?}");
    String::from_utf8(output.stderr).unwrap()
}

/// A table of the samples of the network `cancer`, with its columns in this order and labels between.
fn table_of(samples: &ArrayD<f32>, order: &[usize]) -> String {
    let mut names: Vec<_> = order.iter().map(|i| format!("feature {i}")).collect();
    names.insert(3, "label".into());
    let line = |row: ndarray::ArrayViewD<f32>| {
        let mut cells: Vec<_> = order.iter().map(|i| row[*i].to_string()).collect();
        cells.insert(3, "1".into());
        cells.join(",")
    };
    let lines = samples.outer_iter().map(line);
    std::iter::once(names.join(",")).chain(lines).collect::<Vec<_>>().join("\n")
}

fn rows_of_a_table_are_explained() {
    let directory = with("cancer.dynamo20.onnx", &argmax());
    let at = directory.path();
    let samples = input("cancer").into_dyn();
    fs::write(at.join("t.csv"), table_of(&samples, &(0..30).collect::<Vec<_>>())).unwrap();
    let feeds = vec![("x".into(), Array::Float32(samples.clone()))];
    let want = run(&at.join("explained.onnx"), true, &feeds, "x_relevance");
    let (said, map) = shown(at, &["t.csv"]);
    assert_eq!(map.shape(), [8, 30]);
    assert!(distance(&map, &want) < 1e-6);
    let said = &said["models"][0]["maps"][0];
    assert_eq!(said["features"][29], "feature 29");
    let mean = want.mapv(f64::abs).mean_axis(ndarray::Axis(0)).unwrap();
    for (said, mean) in said["mean_abs"].as_array().unwrap().iter().zip(&mean) {
        assert!((said.as_f64().unwrap() - mean).abs() <= 1e-6 * mean.abs().max(1e-9));
    }
    // Features that are named are taken in that order, wherever their columns are.
    let turned: Vec<_> = (0..30).rev().collect();
    fs::write(at.join("turned.csv"), table_of(&samples, &turned)).unwrap();
    let names: Vec<_> = (0..30).map(|i| format!("feature {i}")).collect();
    fs::write(at.join("names.txt"), names.join("\n")).unwrap();
    let (_, map) = shown(at, &["turned.csv", "--features", "names.txt"]);
    assert!(distance(&map, &want) < 1e-6);
    // Arrays are tables too, and one row of them is one.
    write(&at.join("t.npy"), &samples);
    let (said, map) = shown(at, &["t.npy", "--features", "names.txt", "--row", "5"]);
    let fifth = want.slice_axis(ndarray::Axis(0), ndarray::Slice::from(5..6)).to_owned();
    assert!(distance(&map, &fifth) < 1e-6);
    assert_eq!(said["models"][0]["maps"][0]["rows"][0]["row"], 5);
}

fn each_row_is_asked_for_its_own_class() {
    let options = Options { target: Target::Inputs(2), ..Options::default() };
    let directory = with("cancer.dynamo20.onnx", &options);
    let at = directory.path();
    let samples = input("cancer").into_dyn();
    fs::write(at.join("t.csv"), table_of(&samples, &(0..30).collect::<Vec<_>>())).unwrap();
    // Without a choice, the two classes are asked for by their scores.
    let (_, map) = shown(at, &["t.csv"]);
    assert_eq!(map.shape(), [8, 2, 30]);
    let model = at.join("explained.onnx");
    let asked = |target: ArrayD<i64>| {
        vec![("x".into(), Array::Float32(samples.clone())), ("target".into(), Array::Int64(target))]
    };
    let scores = run(&model, true, &asked(ArrayD::zeros(IxDyn(&[8, 2]))), "logits");
    let best = ArrayD::from_shape_fn(IxDyn(&[8, 2]), |at| {
        let second = scores[[at[0], 1]] > scores[[at[0], 0]];
        i64::from(second ^ (at[1] == 1))
    });
    assert!(best.iter().any(|class| *class != best[[0, 0]]));
    let want = run(&model, true, &asked(best), "x_relevance");
    assert!(distance(&map, &want) < 1e-6);
}

fn columns_go_to_the_inputs_of_their_names() {
    let directory = with("feeds/columns.onnx", &argmax());
    let at = directory.path();
    let column = |numbers: [f32; 5]| {
        Array::Float32(ArrayD::from_shape_vec(IxDyn(&[5, 1]), numbers.to_vec()).unwrap())
    };
    let text = ["Oslo", "Lima", "", "Oslo", "Turin"].map(String::from);
    let feeds = vec![
        ("age".into(), column([31.0, 64.0, 18.0, 47.0, 25.0])),
        ("yearly_income".into(), column([42_000.5, 90_250.0, 0.0, 61_000.25, 1.5e5])),
        (
            "sex".into(),
            Array::Int64(ArrayD::from_shape_vec(IxDyn(&[5, 1]), vec![0, 1, 2, 1, 0]).unwrap()),
        ),
        (
            "city".into(),
            Array::String(ArrayD::from_shape_vec(IxDyn(&[5, 1]), text.to_vec()).unwrap()),
        ),
    ];
    let model = at.join("explained.onnx");
    let of = |input: &str| run(&model, true, &feeds, &format!("{input}_relevance"));
    let parts = [of("age"), of("yearly_income"), of("sex"), ArrayD::zeros(IxDyn(&[5, 1]))];
    let views: Vec<_> = parts.iter().map(|part| part.view()).collect();
    let want = ndarray::concatenate(ndarray::Axis(1), &views).unwrap();
    for table in ["tables/people.csv", "tables/people.parquet"] {
        let table = fixture(table);
        let (said, map) = shown(at, &[table.to_str().unwrap()]);
        assert!(distance(&map, &want) < 1e-6);
        let said = &said["models"][0]["maps"][0];
        assert_eq!(said["features"], json!(["age", "Yearly Income", "sex", "city"]));
        assert_eq!(said["rows"][2]["values"][3], "");
    }
}

fn a_table_is_shown_in_the_terminal_and_in_html() {
    let directory = with("feeds/columns.onnx", &argmax());
    let at = directory.path();
    let table = fixture("tables/people.csv");
    let table = table.to_str().unwrap();
    let summary = succeeds(&mut abslrp(at, &[table]));
    assert!(!summary.contains('\x1b'), "{summary}");
    assert!(summary.contains("mean R and mean |R| over 5 rows"), "{summary}");
    for row in 0..5 {
        assert!(summary.contains(&format!("\nrow {row}: y: class ")), "{summary}");
    }
    let one = succeeds(&mut abslrp(at, &[table, "--row", "1"]));
    let age = one.lines().find(|line| line.starts_with("age ")).unwrap();
    let cells: Vec<_> = age.split_whitespace().collect();
    assert_eq!((cells[1], &cells[2][..1]), ("64", "+"), "{one}");
    succeeds(&mut abslrp(at, &[table, "-o", "map.html"]));
    let html = fs::read_to_string(at.join("map.html")).unwrap();
    assert_eq!(html.matches("<circle").count(), 5 * 4);
    assert!(html.contains("row 1: Yearly Income = 90250.0, R = ") && !html.contains("<script"));
    succeeds(&mut abslrp(at, &[table, "-o", "map.svg"]));
    assert!(fs::read_to_string(at.join("map.svg")).unwrap().starts_with("<svg xmlns="));
}

fn tables_that_do_not_fit_are_refused_by_what_was_expected() {
    let directory = with("feeds/columns.onnx", &argmax());
    let at = directory.path();
    let put = |text: &str| fs::write(at.join("t.csv"), text).unwrap();
    let fail = || refused(at, &["t.csv"]);
    put("age,sex,city\n1,1,Oslo\n");
    insta::assert_snapshot!(fail(), @"error: t.csv: the table has no column yearly_income; it has age, sex, city");
    put("age,yearly income,sex,city\n1,2,1,Oslo\n1,NaN,1,Oslo\n");
    insta::assert_snapshot!(fail(), @"error: t.csv: row 1 (counted from 0), column yearly income: a number was expected, and 'NaN' came");
    put("age,yearly income,sex,city\n1,2,1.5,Oslo\n");
    insta::assert_snapshot!(fail(), @"error: t.csv: row 0 (counted from 0), column sex: a whole number was expected, and '1.5' came");
    put("age,yearly income,sex,city\nold,2,1,Oslo\n");
    insta::assert_snapshot!(fail(), @"error: t.csv: row 0 (counted from 0), column age: a number was expected, and 'old' came");
    put("age,yearly income,sex,city\n");
    insta::assert_snapshot!(fail(), @"error: t.csv: the table has no rows");
    put("age,yearly income,sex,city\n1,2,1,Oslo\n");
    insta::assert_snapshot!(refused(at, &["t.csv", "--row", "1"]), @"error: t.csv: there is no row 1: there are 1, counted from 0");
    fs::write(at.join("t.parquet"), "PAR1 no table").unwrap();
    let message = refused(at, &["t.parquet"]);
    assert!(
        message.starts_with("error: t.parquet: no Parquet file that can be read: "),
        "{message}"
    );

    // A damaged dictionary, at which the crate panics.
    let mut bytes = fs::read(fixture("tables/people.parquet")).unwrap();
    (bytes[1168], bytes[1181]) = (253, 170);
    fs::write(at.join("t.parquet"), bytes).unwrap();
    let message = refused(at, &["t.parquet"]);
    assert_eq!(message, "error: t.parquet: no Parquet file that can be read: it is damaged\n");

    let cancer = with("cancer.dynamo20.onnx", &argmax());
    fs::write(cancer.path().join("t.csv"), "a,b,label\n1,2,3\n").unwrap();
    insta::assert_snapshot!(refused(cancer.path(), &["t.csv"]), @"error: t.csv: the input x takes 30 features, and the table has 2 columns (a, b, label); name the features with --features, or a column that is none with --label-column");
}

/// A WAV file of 16 bits: samples of all channels in turn.
fn wav(rate: u32, channels: u16, samples: &[i16]) -> Vec<u8> {
    let size = 2 * samples.len() as u32;
    let frame = 2 * channels;
    let mut bytes = b"RIFF".to_vec();
    bytes.extend((36 + size).to_le_bytes());
    bytes.extend(b"WAVEfmt ");
    bytes.extend(16u32.to_le_bytes());
    for number in [1, channels] {
        bytes.extend(number.to_le_bytes());
    }
    for number in [rate, rate * u32::from(frame)] {
        bytes.extend(number.to_le_bytes());
    }
    for number in [frame, 16] {
        bytes.extend(number.to_le_bytes());
    }
    bytes.extend(b"data");
    bytes.extend(size.to_le_bytes());
    bytes.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
    bytes
}

fn recordings_are_explained() {
    let directory = with("audio.dynamo20.onnx", &argmax());
    let at = directory.path();
    let samples: Vec<i16> =
        (0..200).map(|i| (20_000.0 * (f64::from(i) / 5.0).sin()) as i16).collect();
    fs::write(at.join("s.wav"), wav(8000, 1, &samples)).unwrap();
    let of = |samples: &[f32]| {
        let x = ArrayD::from_shape_vec(IxDyn(&[1, 1, samples.len()]), samples.to_vec()).unwrap();
        run(&at.join("explained.onnx"), true, &[("x".into(), Array::Float32(x))], "x_relevance")
    };
    let numbers: Vec<_> = samples.iter().map(|sample| f32::from(*sample) / 32768.0).collect();
    let want = of(&numbers);
    let (_, map) = shown(at, &["s.wav"]);
    assert!(distance(&map, &want) < 1e-6);
    // Two channels are one where that is asked for: here, their mean is half of the first.
    let both: Vec<_> = samples.iter().flat_map(|sample| [*sample, 0]).collect();
    fs::write(at.join("stereo.wav"), wav(8000, 2, &both)).unwrap();
    let half: Vec<_> = numbers.iter().map(|sample| sample / 2.0).collect();
    let (_, map) = shown(at, &["stereo.wav", "--mono"]);
    assert!(distance(&map, &of(&half)) < 1e-6);
    insta::assert_snapshot!(refused(at, &["stereo.wav"]), @"error: stereo.wav: the input x takes 1 channels, and 2 came; --mono takes their mean");
    // At another rate there are as many samples as the model wants.
    fs::write(at.join("short.wav"), wav(4000, 1, &samples[..100])).unwrap();
    insta::assert_snapshot!(refused(at, &["short.wav"]), @"error: short.wav: the input x takes 200 samples, and 100 came; cut the recording or fill it up to that, or export the model with an open length");
    let said = succeeds(&mut abslrp(at, &["short.wav", "--rate", "8000"]));
    assert!(said.contains("100 samples at 4000 Hz, resampled to 8000 Hz"), "{said}");
    assert!(said.contains("\n0.000 to 0.001 s ") && !said.contains('\x1b'), "{said}");
    fs::write(at.join("no.wav"), "RIFF").unwrap();
    let message = refused(at, &["no.wav"]);
    assert!(message.starts_with("error: no.wav: no WAV file that can be read: "), "{message}");
    // It is drawn, and can be played.
    succeeds(&mut abslrp(at, &["s.wav", "-o", "map.png"]));
    assert_eq!(image::open(at.join("map.png")).unwrap().width(), 900);
    succeeds(&mut abslrp(at, &["s.wav", "-o", "map.html"]));
    let html = fs::read_to_string(at.join("map.html")).unwrap();
    assert!(
        html.contains("<polygon") && html.contains("<audio controls src=\"data:audio/wav;base64,")
    );
}

fn leads_lie_below_each_other() {
    let series = ArrayD::from_shape_fn(IxDyn(&[3, 120]), |at| {
        let (lead, time) = (at[0] as f32, at[1] as f32);
        (time * (lead + 1.0) / 7.0).sin()
    });
    let mut maps = Vec::new();
    for (model, turned) in [("feeds/leads.onnx", false), ("feeds/leads_last.onnx", true)] {
        let directory = with(model, &argmax());
        let at = directory.path();
        let own = if turned { series.t().to_owned().into_dyn() } else { series.clone() };
        let standard = own.as_standard_layout().to_owned();
        write(&at.join("s.npy"), &standard);
        fs::write(at.join("names.txt"), "I\nII\nIII\n").unwrap();
        let args = ["s.npy", "--rate", "60", "--features", "names.txt"];
        let (said, map) = shown(at, &args);
        let x = Array::Float32(standard.insert_axis(ndarray::Axis(0)));
        let want = run(&at.join("explained.onnx"), true, &[("x".into(), x)], "x_relevance");
        assert!(distance(&map, &want) < 1e-6);
        // The relevance of each lead is its own.
        let map = map.index_axis_move(ndarray::Axis(0), 0);
        let map = if turned { map.reversed_axes() } else { map };
        let sums = map.sum_axis(ndarray::Axis(1));
        let named = said["models"][0]["maps"][0]["series"].as_array().unwrap();
        for ((said, sum), name) in named.iter().zip(&sums).zip(["I", "II", "III"]) {
            assert_eq!(said["name"], name);
            assert!((said["sum"].as_f64().unwrap() - sum).abs() < 1e-6, "{said} {sum}");
        }
        succeeds(&mut abslrp(at, &[&args[..], &["-o", "map.svg"]].concat()));
        let svg = fs::read_to_string(at.join("map.svg")).unwrap();
        assert_eq!(svg.matches("<polygon").count(), 3);
        assert!(svg.contains(">III</text>") && svg.contains(">2 s</text>"), "{svg}");
        maps.push(map);
    }
    // The same network, whichever axis it has channels on.
    assert!(distance(&maps[0].to_owned(), &maps[1].to_owned()) < 1e-5);
}
