//! `abslrp explain` on texts: what is fed is what the package `tokenizers` makes of them, and what is shown is what the
//! explained model gives for that.

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
