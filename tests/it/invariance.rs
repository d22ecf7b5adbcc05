//! One network has one relevance, whichever exporter wrote it, for whichever operator set, with its
//! normalisations folded or not.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use libtest_mimic::Trial;
use ndarray::{ArrayD, IxDyn};
use prost::Message;

use crate::common::{
    Array, Canonize, DataType, Input, LEVELS, Level, Model, ModelProto, Options, compile, distance,
    each, explain, fixture, models, python_packages, rules, run, runner, sample, stem, trials,
};

/// The models that the onnx package carries: opset 9, weights filled in by `ConstantOfShape`.
const LIGHT: [&str; 9] = [
    "bvlc_alexnet",
    "densenet121",
    "inception_v1",
    "inception_v2",
    "resnet50",
    "shufflenet",
    "squeezenet",
    "vgg19",
    "zfnet512",
];

/// The recurrent layers that `fixtures/recurrent` has as nodes, and written out.
const RECURRENT: [&str; 4] = ["rnn", "gru", "gru_reset", "lstm"];

pub fn trials() -> Vec<Trial> {
    // The published rule has none for the normalisations in this network.
    let without = ["pass", "zero", "abslrp-official"];
    let rules = rules::ALL.iter().map(|rule| rule.name()).filter(|rule| !without.contains(rule));
    let properties = [
        trials![
            exporters_agree_on_normalisations_as_layers,
            canonize_none_takes_every_node_by_itself,
            the_onnx_package_carries_no_other_models,
            products_with_one_hot_rows_are_embeddings,
            quantised_tables_are_embeddings,
            gradient_x_input_of_an_index_is_that_of_its_embedding,
            groups_of_one_channel_have_the_parameters_of_channels,
        ],
        each("invariance::light", LIGHT, models_of_the_onnx_package_are_explained_as_they_are),
        each("invariance::exporters", LEVELS, exporters_agree),
        each("invariance::unrolled", RECURRENT, a_layer_is_what_it_is_step_by_step),
        each("invariance::folding", rules.clone(), folded_or_not_is_the_same_under_every_rule),
        each("invariance::fused", rules, fused_or_not_is_the_same_under_every_rule),
    ];
    properties.into_iter().flatten().collect()
}

/// The relevance of the same normal numbers in a model of `fixtures/exporters`.
fn map(path: &Path, options: &Options) -> ArrayD<f64> {
    let x = sample(&[2, 3, 16, 16], DataType::Float, 3).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let explained = compile(path, options, directory.path());
    run(&explained, false, &[("x".into(), x)], "x_relevance")
}

/// Compares the relevance in some models with that in the first of them.
fn agree(paths: &[PathBuf], options: &Options) {
    let [first, others @ ..] = paths else { panic!("there are no models") };
    let expected = map(first, options);
    for path in others {
        let apart = distance(&map(path, options), &expected);
        assert!(apart < 1e-3, "{} is {apart:.1e} from {}", stem(path), stem(first));
    }
}

/// Each index gets the relevance of what it fetched, however it fetched it.
fn products_with_one_hot_rows_are_embeddings() {
    fetch_alike("gather", &["one_hot", "one_hot_of_integers", "equal", "equal_to_a_list"]);
    for name in ["other_classes", "other_values"] {
        let model = Model::open(fixture(&format!("embeddings/{name}.onnx"))).unwrap();
        let error = explain(&model, &Options::default()).unwrap_err().to_string();
        assert!(error.contains("reaches an input"), "{error}");
    }
}

/// A table that is kept in few bits has the maps of the numbers that it stands for.
fn quantised_tables_are_embeddings() {
    fetch_alike("blocks_written", &["blocks", "blocks_in_bytes"]);
    fetch_alike("bytes_written", &["bytes"]);
    fetch_alike("normalised_written", &["normalised"]);
}

/// Models of `fixtures/embeddings` have the maps of the first.
fn fetch_alike(first: &str, others: &[&str]) {
    let ids = ndarray::arr2(&[[3i64, 0, 8], [1, 1, 5]]).into_dyn();
    let map = |name: &str, level| {
        let path = fixture(&format!("embeddings/{name}.onnx"));
        let directory = tempfile::tempdir().unwrap();
        let explained = compile(&path, &Options { level, ..Options::default() }, directory.path());
        run(&explained, false, &[("ids".into(), Array::Int64(ids.clone()))], "ids_relevance")
    };
    for level in LEVELS {
        let expected = map(first, level);
        assert!(expected.iter().all(|v| v.abs() > 1e-3), "{expected}");
        for name in others {
            let apart = distance(&map(name, level), &expected);
            assert!(apart < 1e-5, "{name} {level}: {apart:.1e} apart");
        }
    }
}

/// The scores are homogeneous in the embedding, so that gradient × embedding is the score itself (Euler).
fn gradient_x_input_of_an_index_is_that_of_its_embedding() {
    let ids = Array::Int64(ndarray::arr2(&[[3i64, 0, 8], [1, 1, 5]]).into_dyn());
    for (name, level) in ["gather", "one_hot", "equal"].iter().flat_map(|n| LEVELS.map(|l| (n, l)))
    {
        let (rule, target) = ("gradient-x-input".parse().unwrap(), "1".parse().unwrap());
        let init = abslrp::options::Init::One;
        let options =
            Options { rule, target, init, class_axis: Some(2), level, ..Options::default() };
        let directory = tempfile::tempdir().unwrap();
        let path = fixture(&format!("embeddings/{name}.onnx"));
        let explained = compile(&path, &options, directory.path());
        let feeds = [("ids".into(), ids.clone())];
        let scores = run(&explained, false, &feeds, "y").index_axis_move(ndarray::Axis(2), 1);
        let map = run(&explained, false, &feeds, "ids_relevance");
        assert!(scores.iter().all(|score| score.abs() > 1e-3), "{scores}");
        assert!(distance(&map, &scores) < 1e-5, "{name} {level}: {map} is not {scores}");
    }
}

/// Until opset 21, `GroupNormalization` had a scale for each group. Where a group is a channel, that is the same.
fn groups_of_one_channel_have_the_parameters_of_channels() {
    let path = fixture("forms/group_normalization_computed.op21.onnx");
    let map = |opset| {
        let mut proto = ModelProto::clone(Model::open(&path).unwrap().proto());
        proto.opset_import[0].version = Some(opset);
        let graph = proto.graph.as_mut().unwrap();
        let mut nodes = graph.node.iter_mut();
        let norm = nodes.find(|node| node.op_type() == "GroupNormalization").unwrap();
        norm.attribute.iter_mut().find(|a| a.name() == "num_groups").unwrap().i = Some(4);
        let directory = tempfile::tempdir().unwrap();
        let source = directory.path().join("source.onnx");
        std::fs::write(&source, proto.encode_to_vec()).unwrap();
        let explained = compile(&source, &Options::default(), directory.path());
        let x = sample(&[2, 4, 3], DataType::Float, 3).unwrap();
        run(&explained, false, &[("x".into(), x)], "x_relevance")
    };
    let [old, new] = [18, 21].map(map);
    let apart = distance(&old, &new);
    assert!(apart < 1e-5, "{apart:.1e}: {old} and {new}");
}

/// A node of many steps has the relevance of the steps, under every rule.
fn a_layer_is_what_it_is_step_by_step(layer: &str) {
    let x = sample(&[2, 4, 3], DataType::Float, 3).unwrap();
    let rules = rules::ALL.iter().map(|rule| rule.name());
    for rule in rules.filter(|rule| !["pass", "zero", "abslrp-official"].contains(rule)) {
        let text = if rule == "zbox" { "zbox:low=-4,high=4" } else { rule };
        for level in LEVELS {
            let [node, steps] = ["node", "unrolled"].map(|form| {
                let path = fixture(&format!("recurrent/{layer}.{form}.onnx"));
                let directory = tempfile::tempdir().unwrap();
                let options = Options { rule: text.parse().unwrap(), level, ..Options::default() };
                let explained = compile(&path, &options, directory.path());
                run(&explained, false, &[("x".into(), x.clone())], "x_relevance")
            });
            let apart = distance(&node, &steps);
            assert!(apart < 1e-4, "{text} {level}: {apart:.1e} apart\n{node}\n{steps}");
        }
    }
}

fn exporters_agree(level: Level) {
    let models = models("exporters");
    assert!(models.len() >= 8);
    agree(&models, &Options { level, ..Options::default() });
}

/// Folding is what a layer is: no rule needs the canonizers of other libraries.
fn folded_or_not_is_the_same_under_every_rule(rule: &str) {
    let text = if rule == "zbox" { "zbox:low=-4,high=4" } else { rule };
    let path = |name: &str| fixture(&format!("exporters/{name}.onnx"));
    let options = Options { rule: text.parse().unwrap(), ..Options::default() };
    agree(&[path("legacy17"), path("legacy17.unfolded")], &options);
}

/// What an optimiser fuses has the relevance of what it was before, at every input.
fn fused_or_not_is_the_same_under_every_rule(rule: &str) {
    let text = if rule == "zbox" { "zbox:low=-4,high=4" } else { rule };
    let maps = |path: &Path| {
        let options = Options { rule: text.parse().unwrap(), ..Options::default() };
        let directory = tempfile::tempdir().unwrap();
        let mut runner = runner(&compile(path, &options, directory.path()), false);
        let feed = |input: Input| {
            let shape: Vec<_> = input.shape.iter().map(|n| n.unwrap()).collect();
            let mut array = sample(&shape, input.elem, 8).unwrap();
            if ["m", "attention_mask"].contains(&input.name.as_str()) {
                // An optimiser counts on it that what a mask leaves out lies at the ends.
                let kept = |at: IxDyn| f64::from(u8::from(at[1] + 2 * at[0] < 5));
                array = Array::of_numbers(&ArrayD::from_shape_fn(shape, kept), input.elem).unwrap();
            }
            (input.name, array)
        };
        let feeds: Vec<_> = runner.inputs().into_iter().map(feed).collect();
        let results = runner.run(&feeds).unwrap().into_iter();
        results.map(|(name, array)| (name, array.numbers())).collect::<BTreeMap<_, _>>()
    };
    let size = |a: &ArrayD<f64>| a.iter().map(|v| v.abs()).sum::<f64>();
    let (fused, plain): (Vec<_>, Vec<_>) =
        models("fused").into_iter().partition(|path| stem(path).contains('.'));
    for path in plain {
        let expected = maps(&path);
        // A normalisation's gradients by what it subtracts cancel, and leave nothing but rounding to compare.
        let least = 1e-2 * size(&expected["y"]);
        // Rules that divide by sums of either sign, at residual sums if nowhere else, enlarge rounding.
        let tolerance = match rule {
            "abslrp" | "deconvolution" | "gradient" | "gradient-x-input" | "guided" => 1e-4,
            "abslrp-notebook" => 1e-2,
            _ => 1e-3,
        };
        let of_network = |other: &&PathBuf| stem(other).starts_with(&format!("{}.", stem(&path)));
        let others: Vec<_> = fused.iter().filter(of_network).collect();
        assert!(!others.is_empty(), "{} is not fused", path.display());
        for other in others {
            let found = maps(other);
            assert!(found.keys().eq(expected.keys()), "{}: {:?}", stem(other), found.keys());
            for (name, map) in &expected {
                let apart = size(&(&found[name] - map)) / size(map).max(least);
                assert!(apart < tolerance, "{name} of {} is {apart:.1e} apart", stem(other));
            }
        }
    }
}

/// With twins for normalisations nothing is folded, but a layer is still a layer.
fn exporters_agree_on_normalisations_as_layers() {
    let mut models = models("exporters");
    models.retain(|path| stem(path).contains("unfolded"));
    assert!(models.len() >= 5);
    let rule = "abslrp-notebook:norms=twin".parse().unwrap();
    agree(&models, &Options { rule, ..Options::default() });
}

/// Without units every node is one, and the map another.
fn canonize_none_takes_every_node_by_itself() {
    let path = fixture("exporters/legacy17.unfolded.onnx");
    let model = Model::open(path).unwrap();
    let units = |canonize| {
        let options = Options { canonize, ..Options::default() };
        explain(&model, &options).unwrap().summary().units
    };
    assert!(units(Canonize::None) > units(Canonize::Units));
}

fn light() -> PathBuf {
    python_packages().join("onnx/backend/test/data/light")
}

fn the_onnx_package_carries_no_other_models() {
    let names = std::fs::read_dir(light()).unwrap().map(|entry| stem(&entry.unwrap().path()));
    let mut models: Vec<_> = names.filter(|name| name.starts_with("light_")).collect();
    models.retain(|name| !name.ends_with("_output_0"));
    models.sort();
    assert_eq!(models, LIGHT.map(|name| format!("light_{name}")));
}

fn models_of_the_onnx_package_are_explained_as_they_are(name: &str) {
    let path = light().join(format!("light_{name}.onnx"));
    let directory = tempfile::tempdir().unwrap();
    let explained = compile(&path, &Options::default(), directory.path());
    let Input { name, shape, .. } = runner(&path, false).inputs().remove(0);
    let shape: Vec<_> = shape.iter().map(|n| n.unwrap_or(1)).collect();
    let x: Array = sample(&shape, DataType::Float, 1).unwrap();
    let r = run(&explained, true, &[(name.clone(), x)], &format!("{name}_relevance"));
    assert!(r.iter().all(|v| v.is_finite()));
    assert_eq!(r.shape(), shape);
}
