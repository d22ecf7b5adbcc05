//! Every form of every operator, against derivatives that share no code with the compiler.

#![allow(clippy::unwrap_used)]

mod common;

use std::path::Path;

use abslrp::{
    Options,
    verify::session::{Array, sample},
};
use common::{LEVELS, compile, distance, models, run, runner, stem};
use ndarray::ArrayD;
use ort::value::TensorElementType;

/// A shape for the input of a form: two samples, and odd sizes where they are open.
fn shape(path: &std::path::Path) -> Vec<usize> {
    let (_, _, dims, symbols) = runner(path, false).inputs().remove(0);
    let open = |symbol: &str| match symbol {
        "N" => 2,
        "H" => 7,
        _ => 9,
    };
    let sized = dims.iter().zip(symbols);
    sized.map(|(&n, symbol)| usize::try_from(n).unwrap_or_else(|_| open(&symbol))).collect()
}

fn normal(shape: &[usize], seed: u64) -> ArrayD<f64> {
    sample(shape, TensorElementType::Float32, seed).unwrap().numbers()
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

/// Runs a check on every form, and fails with all that it finds.
fn every_form(check: impl Fn(&Path) + std::panic::RefUnwindSafe) {
    let mut failures = Vec::new();
    for path in models("forms") {
        if let Err(panic) = std::panic::catch_unwind(|| check(&path)) {
            let text = panic.downcast_ref::<String>().map_or("a failed check", String::as_str);
            failures.push(format!("{}: {text}", stem(&path)));
        }
    }
    assert!(failures.is_empty(), "{} fail:\n{}", failures.len(), failures.join("\n"));
}

/// `⟨s, J v⟩ = ⟨Jᵀ s, v⟩` for s = y: the rule `gradient` started from y gives Jᵀ y, and J v is a
/// central difference of the source on ONNX Runtime.
#[test]
fn adjoints_are_those_of_finite_differences() {
    const STEP: f64 = 1e-3;
    every_form(|path| {
        for level in LEVELS {
            let directory = tempfile::tempdir().unwrap();
            let rule = "gradient".parse().unwrap();
            let options = Options { rule, output: Some("y".into()), level, ..Options::default() };
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
                let name = stem(path);
                assert!(apart < 1e-2, "{name} {level}: {forward} forward, {backward} backward");
            }
        }
    });
}

#[test]
fn levels_mean_the_same_and_follow_the_samples() {
    every_form(|path| {
        let shape = shape(path);
        // Positive inputs: nothing vanishes that the default rule divides by, but for the dead.
        let x = normal(&shape, 3).mapv(|v| v.abs() + 0.1);
        let relevance = |level, x: &ArrayD<f64>| {
            let directory = tempfile::tempdir().unwrap();
            let options = Options { level, output: Some("y".into()), ..Options::default() };
            let explained = compile(path, &options, directory.path());
            let plain = run(&explained, false, &feeds(x), "x_relevance");
            let optimised = run(&explained, true, &feeds(x), "x_relevance");
            let name = stem(path);
            assert!(plain.iter().all(|v| v.is_finite()), "{name} {level}");
            assert!(distance(&optimised, &plain) < 1e-2, "{name} {level}");
            plain
        };
        let [literal, folded] = LEVELS.map(|level| relevance(level, &x));
        // What cancels to nothing leaves nothing but rounding to compare.
        let size = |a: &ArrayD<f64>| a.iter().map(|v| v.abs()).sum::<f64>();
        let scale = size(&literal).max(1e-4 * size(&run(path, false, &feeds(&x), "y")));
        let apart = size(&(&folded - &literal)) / scale.max(f64::MIN_POSITIVE);
        assert!(apart < 1e-2, "{}: {apart:.1e}", stem(path));
        assert_eq!(literal.shape(), x.shape());

        let batched = runner(path, false).inputs()[0].3.first().is_some_and(|s| s == "N");
        if batched {
            let mut reversed = x.clone();
            reversed.invert_axis(ndarray::Axis(0));
            let mut r = relevance(LEVELS[1], &reversed.as_standard_layout().to_owned());
            r.invert_axis(ndarray::Axis(0));
            assert!(distance(&r, &folded) < 1e-4, "{} reversed", stem(path));
        }
    });
}

/// Every rule at every operator: what is emitted runs, and gives finite maps.
#[test]
fn every_rule_crosses_every_operator() {
    every_form(|path| {
        let shape = shape(path);
        let x = normal(&shape, 7);
        for rule in abslrp::rules::ALL.iter().map(|rule| rule.name()).chain(["abslrp:norms=twin"]) {
            let text = if rule == "zbox" { "zbox:low=-4,high=4" } else { rule };
            let directory = tempfile::tempdir().unwrap();
            let rule = text.parse().unwrap();
            let options = Options { rule, output: Some("y".into()), ..Options::default() };
            let model = abslrp::onnx::Model::open(path).unwrap();
            match abslrp::compile(&model, &options) {
                // Layers that change shapes cannot pass, and nothing comes through zero.
                Err(_) if ["pass", "zero"].contains(&text) => continue,
                Err(error) if error.to_string().contains("takes opset 11") => continue,
                Err(error) if error.to_string().contains("that abslrp-official holds") => continue,
                other => drop(other.unwrap_or_else(|error| panic!("{text}: {error}"))),
            }
            let explained = compile(path, &options, directory.path());
            let r = run(&explained, true, &feeds(&x), "x_relevance");
            assert!(r.iter().all(|v| v.is_finite()), "{text}");
        }
    });
}

#[test]
fn original_outputs_keep_their_bits() {
    for path in models("forms").into_iter().chain(models("")) {
        let directory = tempfile::tempdir().unwrap();
        let explained = compile(&path, &Options::default(), directory.path());
        let x = normal(&shape_of_any(&path), 5);
        let output = runner(&path, false).run(&feeds(&x)).unwrap();
        let again = runner(&explained, false).run(&feeds(&x)).unwrap();
        for ((name, a), (same, b)) in output.iter().zip(&again) {
            assert_eq!(name, same);
            assert!(a.is_identical(b), "{} {name}", stem(&path));
        }
    }
}

fn shape_of_any(path: &std::path::Path) -> Vec<usize> {
    let (_, _, dims, _) = runner(path, false).inputs().remove(0);
    let forms = path.parent().is_some_and(|parent| parent.ends_with("forms"));
    if forms {
        shape(path)
    } else {
        dims.iter().map(|&n| usize::try_from(n).unwrap_or(2)).collect()
    }
}
