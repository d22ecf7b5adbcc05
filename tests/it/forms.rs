//! Every form of every operator, against derivatives that share no code with the compiler.

use std::path::Path;

use libtest_mimic::Trial;
use ndarray::{ArrayD, Axis};

use crate::common::{
    Array, DataType, Input, LEVELS, Model, Options, compile, distance, each_model, explain, models,
    rules, run, runner, sample,
};

pub fn trials() -> Vec<Trial> {
    let forms = || models("forms");
    let all = || [models("forms"), models("")].concat();
    let properties = [
        each_model("forms::adjoint", forms(), adjoints_are_those_of_finite_differences),
        each_model("forms::levels", forms(), levels_mean_the_same_and_follow_the_samples),
        each_model("forms::rules", forms(), every_rule_crosses_every_operator),
        each_model("forms::bound", all(), relevance_never_grows),
        each_model("forms::outputs", all(), original_outputs_keep_their_bits),
    ];
    properties.into_iter().flatten().collect()
}

/// A shape for the input of a model: two samples, and odd sizes where they are open.
pub fn shape(path: &Path) -> Vec<usize> {
    let Input { shape, symbols, .. } = runner(path, false).inputs().remove(0);
    let open = |symbol: &str| match symbol {
        "N" | "batch" => 2,
        "H" => 7,
        _ => 9,
    };
    let sized = shape.iter().zip(symbols);
    sized.map(|(n, symbol)| n.unwrap_or_else(|| open(&symbol))).collect()
}

pub fn normal(shape: &[usize], seed: u64) -> ArrayD<f64> {
    sample(shape, DataType::Float, seed).unwrap().numbers()
}

/// Numbers that are all different by more than a difference steps, and none near 0: no kink of a
/// `ReLU` or a maximum lies between its two points.
fn apart(shape: &[usize]) -> ArrayD<f64> {
    const SPACING: f64 = 0.02;
    let noise = normal(shape, 1);
    let mut order: Vec<usize> = (0..noise.len()).collect();
    let noise: Vec<f64> = noise.into_iter().collect();
    order.sort_by(|&a, &b| noise[a].total_cmp(&noise[b]));
    let mut values = vec![0.0; order.len()];
    for (rank, &at) in order.iter().enumerate() {
        values[at] = (rank as f64 + 0.5 - order.len() as f64 / 2.0) * SPACING;
    }
    ArrayD::from_shape_vec(shape, values).unwrap()
}

fn feeds(x: &ArrayD<f64>) -> Vec<(String, Array)> {
    vec![("x".into(), Array::Float32(x.mapv(|v| v as f32)))]
}

/// `⟨s, J v⟩ = ⟨Jᵀ s, v⟩` for s = y: the rule `gradient` started from y gives Jᵀ y, and J v is a
/// central difference of the source on ONNX Runtime.
fn adjoints_are_those_of_finite_differences(path: &Path) {
    const STEP: f64 = 1e-3;
    for level in LEVELS {
        let directory = tempfile::tempdir().unwrap();
        let rule = "gradient".parse().unwrap();
        let options = Options {
            rule,
            output: Some("y".into()),
            after_softmax: true,
            level,
            ..Options::default()
        };
        let explained = compile(path, &options, directory.path());
        let shape = shape(path);
        let x = apart(&shape);
        let r = run(&explained, false, &feeds(&x), "x_relevance");
        let of = |x: &ArrayD<f64>| run(path, false, &feeds(x), "y");
        let y = of(&x);
        for seed in 10..13 {
            let v = normal(&shape, seed);
            let difference = of(&(&x + &(&v * STEP))) - of(&(&x - &(&v * STEP)));
            let forward = (&y * &difference).sum() / (2.0 * STEP);
            let backward = (&r * &v).sum();
            let scale = y.iter().map(|v| v * v).sum::<f64>().sqrt()
                * (&difference / (2.0 * STEP)).iter().map(|v| v * v).sum::<f64>().sqrt();
            let apart = (forward - backward).abs() / scale.max(1e-3);
            assert!(apart < 1e-2, "{level}: {forward} forward, {backward} backward");
        }
    }
}

fn levels_mean_the_same_and_follow_the_samples(path: &Path) {
    let shape = shape(path);
    // Positive inputs: nothing vanishes that the default rule divides by, but for the dead.
    let x = normal(&shape, 3).mapv(|v| v.abs() + 0.1);
    let relevance = |level, x: &ArrayD<f64>| {
        let directory = tempfile::tempdir().unwrap();
        let options =
            Options { level, output: Some("y".into()), after_softmax: true, ..Options::default() };
        let explained = compile(path, &options, directory.path());
        let plain = run(&explained, false, &feeds(x), "x_relevance");
        let optimised = run(&explained, true, &feeds(x), "x_relevance");
        assert!(plain.iter().all(|v| v.is_finite()), "{level}: {plain}");
        let apart = distance(&optimised, &plain);
        assert!(apart < 1e-2, "{level}: ONNX Runtime's optimisation moves it by {apart:.1e}");
        plain
    };
    let [literal, folded] = LEVELS.map(|level| relevance(level, &x));
    // What cancels to nothing leaves nothing but rounding to compare.
    let size = |a: &ArrayD<f64>| a.iter().map(|v| v.abs()).sum::<f64>();
    let scale = size(&literal).max(1e-4 * size(&run(path, false, &feeds(&x), "y")));
    let apart = size(&(&folded - &literal)) / scale.max(f64::MIN_POSITIVE);
    assert!(apart < 1e-2, "the levels are {apart:.1e} apart");
    assert_eq!(literal.shape(), x.shape());

    let batched = runner(path, false).inputs()[0].symbols.first().is_some_and(|s| s == "N");
    if batched {
        let mut reversed = x.clone();
        reversed.invert_axis(Axis(0));
        let mut r = relevance(LEVELS[1], &reversed.as_standard_layout().to_owned());
        r.invert_axis(Axis(0));
        let apart = distance(&r, &folded);
        assert!(apart < 1e-4, "samples in another order move their maps by {apart:.1e}");
    }
}

/// Every rule at every operator: what is emitted runs, and gives finite maps.
fn every_rule_crosses_every_operator(path: &Path) {
    let model = Model::open(path).unwrap();
    let x = normal(&shape(path), 7);
    for rule in rules::ALL.iter().map(|rule| rule.name()).chain(["abslrp-notebook:norms=twin"]) {
        let text = if rule == "zbox" { "zbox:low=-4,high=4" } else { rule };
        let directory = tempfile::tempdir().unwrap();
        let rule = text.parse().unwrap();
        let options =
            Options { rule, output: Some("y".into()), after_softmax: true, ..Options::default() };
        match explain(&model, &options) {
            // Layers that change shapes cannot pass, and nothing comes through zero.
            Err(_) if ["pass", "zero"].contains(&text) => continue,
            Err(error) if error.to_string().contains("takes opset 11") => continue,
            Err(error) if error.to_string().contains("that abslrp-official holds") => continue,
            // It sums per sample, and no size says what a sample is where branches differ in rank.
            Err(error)
                if text == "abslrp-official" && error.to_string().contains("the rank of") =>
            {
                continue;
            }
            other => drop(other.unwrap_or_else(|error| panic!("{text}: {error}"))),
        }
        let explained = compile(path, &options, directory.path());
        let r = run(&explained, true, &feeds(&x), "x_relevance");
        assert!(r.iter().all(|v| v.is_finite()), "{text}: {r}");
    }
}

/// The default rule hands on no more relevance than it was given, whatever the operator and the signs.
fn relevance_never_grows(path: &Path) {
    let x = normal(&shape(path), 11);
    let output = runner(path, false).run(&feeds(&x)).unwrap().remove(0);
    let size = |a: &ArrayD<f64>| a.iter().map(|v| v.abs()).sum::<f64>();
    for level in LEVELS {
        let directory = tempfile::tempdir().unwrap();
        let options = Options {
            level,
            output: Some(output.0.clone()),
            after_softmax: true,
            ..Options::default()
        };
        let explained = compile(path, &options, directory.path());
        let (given, got) =
            (size(&output.1.numbers()), size(&run(&explained, true, &feeds(&x), "x_relevance")));
        assert!(got <= given * 1.0001, "{level}: Σ|R| {got} of {given}");
    }
}

fn original_outputs_keep_their_bits(path: &Path) {
    let directory = tempfile::tempdir().unwrap();
    let explained = compile(path, &Options::default(), directory.path());
    let x = normal(&shape(path), 5);
    let output = runner(path, false).run(&feeds(&x)).unwrap();
    let again = runner(&explained, false).run(&feeds(&x)).unwrap();
    for ((name, a), (same, b)) in output.iter().zip(&again) {
        assert_eq!(name, same);
        assert!(a.is_identical(b), "{name}: {} and {}", a.numbers(), b.numbers());
    }
}
