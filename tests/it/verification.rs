//! What verification feeds, finds and says, on models of `fixtures/verification.py`.

use std::path::{Path, PathBuf};

use abslrp::verify::{Error, Fault, Report, Request, session::NamedInput, verify};
use libtest_mimic::Trial;
use ndarray::{ArrayD, arr2};
use ndarray_npy::WriteNpyExt;

use crate::common::{
    Model, Options, compile, explain, fixture, models, notebook, runtime, stem, trial, trials,
};

pub fn trials() -> Vec<Trial> {
    let paths = models("verification");
    let mut trials = trials![
        sizes_of_one_name_are_one_size,
        kernels_fix_channels,
        layers_behind_a_flatten_fix_pictures,
        a_batch_of_one_is_tried,
        a_state_has_the_batch_of_the_data,
        ids_lie_in_their_vocabulary,
        text_is_given_as_numpy_writes_it,
        defaults_may_be_given_other_values,
        half_precision_may_round_otherwise,
        sums_are_numbers_where_masks_are_infinite,
        what_no_input_fits_is_said,
        the_notebooks_rule_holds_where_activations_are_positive,
        the_notebooks_rule_fails_where_sums_vanish,
        no_relevance_fails,
    ];
    trials.extend(paths.iter().map(|path| {
        let name = stem(path);
        trial(format!("verification::holds::{name}"), move || holds(&name))
    }));
    trials
}

fn model(name: &str) -> PathBuf {
    fixture(&format!("verification/{name}.onnx"))
}

/// What is found of a model that is explained with options.
fn verified(name: &str, options: &Options, inputs: &[(&str, &Path)]) -> Result<Report, Error> {
    let directory = tempfile::tempdir().unwrap();
    let explained = compile(&model(name), options, directory.path());
    let inputs = inputs
        .iter()
        .map(|(name, path)| NamedInput { name: (*name).to_string(), path: (*path).to_path_buf() });
    let request = Request { inputs: inputs.collect(), runtime: runtime(), ..Request::default() };
    verify(&explained, &request)
}

fn report(name: &str) -> Report {
    verified(name, &Options::default(), &[]).unwrap()
}

/// The shapes that a model is fed.
fn shapes(report: &Report) -> Vec<&[usize]> {
    report.inputs.iter().map(|feed| feed.shape.as_slice()).collect()
}

/// Under the default rule all of them do, the echo too, whose output lies in its input's memory.
fn holds(name: &str) {
    let report = report(name);
    assert!(report.holds, "{}", report.text());
    assert_eq!(report.outputs.len(), Model::open(model(name)).unwrap().graph().output.len());
}

fn sizes_of_one_name_are_one_size() {
    assert_eq!(shapes(&report("shared_size")), [&[2, 32][..], &[32]]);
}

fn kernels_fix_channels() {
    assert_eq!(shapes(&report("channels")), [[2, 3, 32, 32]]);
}

fn layers_behind_a_flatten_fix_pictures() {
    assert_eq!(shapes(&report("flattened")), [[2, 1, 8, 8]]);
}

fn a_batch_of_one_is_tried() {
    assert_eq!(shapes(&report("single")), [[1, 8]]);
    assert!(report("single").text().contains("input x 1×8, random"));
}

fn a_state_has_the_batch_of_the_data() {
    assert_eq!(shapes(&report("state")), [&[2, 224][..], &[2, 2, 4]]);
}

fn ids_lie_in_their_vocabulary() {
    let report = report("vocabulary");
    let below: Vec<_> = report.inputs.iter().map(|feed| feed.below).collect();
    assert_eq!(below, [Some(7), Some(1)]);
    assert!(report.text().contains("input ids 2×32, random below 7"), "{}", report.text());
}

fn text_is_given_as_numpy_writes_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s.npy");
    // What numpy.save writes of numpy.array(["añ", "b", ""]).
    let header = "{'descr': '<U2', 'fortran_order': False, 'shape': (3,), }\n";
    let file = |units: &[u32]| {
        let length = header.len() as u16;
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend(length.to_le_bytes());
        bytes.extend(header.as_bytes());
        bytes.extend(units.iter().flat_map(|unit| unit.to_le_bytes()));
        std::fs::write(&path, bytes).unwrap();
        verified("text", &Options::default(), &[("s", &path)])
    };
    let given = file(&[97, 0xf1, 98, 0, 0, 0]).unwrap();
    assert!(given.holds, "{}", given.text());
    assert_eq!((given.inputs[0].shape.as_slice(), given.inputs[0].given), (&[3][..], true));
    for units in [&[97, 98][..], &[97, 98, 99, 0, 0, 0, 0], &[0xd800, 0, 0, 0, 0, 0]] {
        let error = file(units).unwrap_err().to_string();
        assert!(error.contains("s.npy"), "{error}");
    }
}

fn defaults_may_be_given_other_values() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("G.npy");
    let given = arr2(&[[1.0f32, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [0.0; 3]]);
    given.write_npy(std::fs::File::create(&path).unwrap()).unwrap();
    let usual = report("override");
    let given = verified("override", &Options::default(), &[("G", &path)]).unwrap();
    assert!(given.holds && given.inputs.iter().any(|feed| feed.name == "G" && feed.given));
    // With the identity for weights all relevance arrives, and is another than by default.
    assert!((given.relevance[0].sum - given.units[0].received).abs() < 1e-5, "{}", given.text());
    assert!((given.relevance[0].sum - usual.relevance[0].sum).abs() > 1e-2, "{}", usual.text());
}

fn half_precision_may_round_otherwise() {
    let report = report("half");
    let output = &report.outputs[0];
    assert!(output.holds && output.difference < 1e-3, "{}", report.text());
    let elements = Model::open(model("half")).unwrap();
    assert!(abslrp::print(&elements).contains("output y: f16"));
}

fn sums_are_numbers_where_masks_are_infinite() {
    for options in [Options::default(), notebook()] {
        let report = verified("masked", &options, &[]).unwrap();
        let json = serde_json::to_string(&report.units).unwrap();
        assert!(!report.units.is_empty() && !json.contains("null"), "{json}");
    }
    // The notebook's rule does share out what is masked.
    let report = verified("masked", &notebook(), &[]).unwrap();
    assert!(report.units.iter().any(|unit| unit.operators == "Add"), "{:?}", report.units);
}

fn what_no_input_fits_is_said() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x.npy");
    let array = ArrayD::<f32>::ones(vec![2, 4, 9, 9]);
    array.write_npy(std::fs::File::create(&path).unwrap()).unwrap();
    let error = verified("channels", &Options::default(), &[("x", &path)]).unwrap_err();
    assert!(matches!(error, Error::Run { .. }), "{error}");
}

fn the_notebooks_rule_holds_where_activations_are_positive() {
    let report = verified("positive", &notebook(), &[]).unwrap();
    assert!(report.holds && !report.bounded, "{}", report.text());
    assert!(report.moved.inputs && report.moved.weights);
    assert!(report.relevance[0].movement.is_some_and(|by| by > 0.0 && by < 1e-5));
    let summary = |name: &str, options: &Options| {
        let source = Model::open(model(name)).unwrap();
        explain(&source, options).unwrap().summary().ill_conditioned.clone()
    };
    assert!(summary("positive", &notebook()).is_none());
    assert_eq!(summary("signed", &notebook()).unwrap().node, "y");
    assert!(summary("signed", &Options::default()).is_none());
    // It is the sign of the input that is not known here.
    assert_eq!(summary("channels", &notebook()).unwrap().inputs, ["x"]);
}

fn the_notebooks_rule_fails_where_sums_vanish() {
    let report = verified("signed", &notebook(), &[]).unwrap();
    assert!(!report.holds && report.outputs.iter().all(|output| output.holds));
    let faults = &report.relevance[0].faults;
    assert!(matches!(faults[0], Fault::Moves { by } if by > 0.02), "{}", report.text());
    assert_eq!(report.lost.as_ref().unwrap().node, "y");
    let best = report.alternatives.last().unwrap();
    assert_eq!((best.choice.as_str(), best.holds), ("--rule abslrp", true));
    assert!(best.movement.unwrap() < 1e-5);
    let text = report.text();
    for said in ["FAIL  pixels_relevance", "begins at 'y' (MatMul)", "--rule abslrp holds"] {
        assert!(text.contains(said), "{text}");
    }
}

fn no_relevance_fails() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x.npy");
    // The rectifier lets none of it through.
    let array = ArrayD::<f32>::from_elem(vec![2, 4], -1.0);
    array.write_npy(std::fs::File::create(&path).unwrap()).unwrap();
    let report = verified("text", &Options::default(), &[("x", &path)]).unwrap();
    assert_eq!(report.fault, Some(Fault::Nothing));
    assert!(
        !report.holds && report.text().contains("FAIL  all relevance is 0"),
        "{}",
        report.text()
    );
}
