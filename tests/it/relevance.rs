//! The relevance that explained models compute, against that of `fixtures/make.py` in float64.

use libtest_mimic::Trial;
use ndarray::{ArrayD, Axis, Slice};
use prost::Message;

use crate::{
    common::{
        Array, Init, LEVELS, Model, ModelProto, Options, Target, compile, distance, each, feed,
        fixture, golden, input, notebook, run, runner, trial, trials,
    },
    forms::{normal, shape},
};

/// What float32 can keep: each network's relevance divides by sums that nearly vanish somewhere.
/// `PyTorch`'s own float32 is as far off (see `fixtures/make.py`).
const TOLERANCE: f64 = 1e-3;

const NETWORKS: [&str; 8] =
    ["digits", "cancer", "lenet", "alexnet", "vgg", "vgg_bn", "audio", "volume"];

pub fn trials() -> Vec<Trial> {
    let mut trials = trials![
        epsilon_and_gradient_are_rules_too,
        a_target_input_asks_for_any_class,
        the_start_scales_relevance,
        a_part_counts_alone,
        the_largest_element_counts_alone,
        what_a_softmax_makes_is_explained_if_asked_for,
        relevance_is_there_on_demand,
        nodes_in_any_order_and_without_names_are_explained_on_demand,
        what_is_set_chooses_a_branch,
        coarse_maps_are_intermediate_relevance_over_the_input,
        an_intermediate_relevance_adds_up_as_the_inputs_does_to_it,
        what_is_asked_for_twice_is_one_output,
        at_the_pole_of_the_formula_nothing_is_amplified,
    ];
    trials.extend(each("relevance::dead_units", NETWORKS, dead_units_give_finite_relevance));
    for name in NETWORKS {
        for exporter in ["legacy17", "dynamo20"] {
            let of = format!("relevance::notebook::{name}.{exporter}");
            trials.push(trial(of, move || the_notebook_is_followed(name, exporter)));
        }
    }
    trials
}

fn check(name: &str, exporter: &str, options: &Options, case: &str) {
    let x = input(name);
    let want = golden(name, case);
    for level in LEVELS {
        let directory = tempfile::tempdir().unwrap();
        let options = Options { level, ..options.clone() };
        let path = fixture(&format!("{name}.{exporter}.onnx"));
        let explained = compile(&path, &options, directory.path());
        for optimise in [false, true] {
            let got = run(&explained, optimise, &feed("x", &x), "x_relevance");
            let apart = distance(&got, &want);
            assert!(apart < TOLERANCE, "{name}.{exporter} {case} {level}: {apart:.1e}");
        }
    }
}

fn the_notebook_is_followed(name: &str, exporter: &str) {
    for (case, target) in
        [("rel.all", Target::All), ("rel.argmax", Target::Argmax), ("rel.class1", Target::Index(1))]
    {
        check(name, exporter, &Options { target, ..notebook() }, case);
    }
}

fn epsilon_and_gradient_are_rules_too() {
    for (rule, init, case) in [
        ("epsilon", Init::Value, "rel.epsilon"),
        ("epsilon:epsilon=0.25", Init::Value, "rel.epsilon025"),
        ("gradient", Init::One, "rel.gradient"),
    ] {
        let rule = rule.parse().unwrap();
        let target = Target::Index(1);
        let options = Options { rule, target, init, ..Options::default() };
        check("rules", "legacy17", &options, case);
    }
}

fn a_target_input_asks_for_any_class() {
    let directory = tempfile::tempdir().unwrap();
    let options = Options { target: Target::Input, ..notebook() };
    let explained = compile(&fixture("vgg.legacy17.onnx"), &options, directory.path());
    let mut feeds = feed("x", &input("vgg"));
    let classes: Vec<i64> = vec![1, 1];
    feeds.push(("target".into(), Array::Int64(ArrayD::from_shape_vec(vec![2], classes).unwrap())));
    let got = run(&explained, false, &feeds, "x_relevance");
    assert!(distance(&got, &golden("vgg", "rel.class1")) < TOLERANCE);

    // Sample by sample: class 1 for the first, the predicted one for the second.
    let logits = golden("vgg", "out");
    let second = logits.index_axis(Axis(0), 1);
    let best = second.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).unwrap().0;
    let mixed = ArrayD::from_shape_vec(vec![2], vec![1, best as i64]).unwrap();
    feeds[1].1 = Array::Int64(mixed);
    let got = run(&explained, false, &feeds, "x_relevance");
    for (sample, case) in [(0, "rel.class1"), (1, "rel.argmax")] {
        let part =
            |a: &ArrayD<f64>| a.slice_axis(Axis(0), Slice::from(sample..sample + 1)).to_owned();
        assert!(distance(&part(&got), &part(&golden("vgg", case))) < TOLERANCE);
    }
}

fn the_start_scales_relevance() {
    // Rules are linear in R: with one class, `one` and `abs` differ from `value` by a factor.
    let directory = tempfile::tempdir().unwrap();
    let logits = golden("vgg", "out");
    let want = golden("vgg", "rel.class1");
    for (init, factor) in
        [(Init::One, (|y| 1.0 / y) as fn(f64) -> f64), (Init::Abs, |y| y.signum())]
    {
        let options = Options { target: Target::Index(1), init, ..notebook() };
        let explained = compile(&fixture("vgg.dynamo20.onnx"), &options, directory.path());
        let got = run(&explained, false, &feed("x", &input("vgg")), "x_relevance");
        let mut want = want.clone();
        for (mut sample, y) in want.outer_iter_mut().zip(logits.index_axis(Axis(1), 1)) {
            sample *= factor(*y);
        }
        assert!(distance(&got, &want) < TOLERANCE, "{init:?}");
    }
}

fn a_part_counts_alone() {
    for (part, case) in [(":,1", "rel.class1"), ("...,1:2", "rel.class1"), (":,:", "rel.all")] {
        check("vgg", "legacy17", &Options { select: part.parse().ok(), ..notebook() }, case);
    }
    // Targets are chosen in the part.
    let select = ":,1:".parse().ok();
    check(
        "vgg",
        "legacy17",
        &Options { select, target: Target::Index(0), ..notebook() },
        "rel.class1",
    );
}

fn the_largest_element_counts_alone() {
    check("vgg", "legacy17", &Options { target: Target::Max, ..notebook() }, "rel.argmax");
    // Of a picture, the one at the place where it is.
    let path = fixture("forms/conv_2d_groups.op17.onnx");
    let x = normal(&[1, 4, 7, 6], 3).mapv(|v| v as f32);
    let y = run(&path, false, &feed("x", &x), "y");
    let (place, _) = y.indexed_iter().max_by(|a, b| a.1.total_cmp(b.1)).unwrap();
    let part: Vec<_> = (0..4).map(|axis| place[axis].to_string()).collect();
    let at_place = Options { select: part.join(",").parse().ok(), ..Options::default() };
    for level in LEVELS {
        let [largest, at_place] =
            [Options { target: Target::Max, ..Options::default() }, at_place.clone()].map(
                |options| {
                    let directory = tempfile::tempdir().unwrap();
                    let explained = compile(&path, &Options { level, ..options }, directory.path());
                    run(&explained, false, &feed("x", &x), "x_relevance")
                },
            );
        assert!(
            largest.iter().any(|r| *r != 0.0) && distance(&largest, &at_place) < 1e-6,
            "{level}"
        );
    }
}

fn what_a_softmax_makes_is_explained_if_asked_for() {
    // Of two classes with the scores a and b, ∂p/∂x = p (1 − p) (∂a/∂x − ∂b/∂x).
    let (path, x) = (fixture("cancer.legacy17.onnx"), input("cancer"));
    let gradient = |class, after_softmax| {
        let directory = tempfile::tempdir().unwrap();
        let (rule, target) = ("gradient".parse().unwrap(), Target::Index(class));
        let options =
            Options { rule, init: Init::One, target, after_softmax, ..Options::default() };
        let explained = compile(&path, &options, directory.path());
        run(&explained, false, &feed("x", &x), "x_relevance")
    };
    let mut expected = gradient(0, false) - gradient(1, false);
    let p = runner(&path, false).run(&feed("x", &x)).unwrap().remove(0).1.numbers();
    for (mut sample, p) in expected.outer_iter_mut().zip(p.outer_iter()) {
        sample *= p[0] * p[1];
    }
    assert!(distance(&gradient(0, true), &expected) < 1e-4);
}

fn coarse_maps_are_intermediate_relevance_over_the_input() {
    let (relu, block) = ("/6/Relu_output_0", "/1/1.1/add/Add_output_0");
    for (network, at, name) in [
        ("digits", "4", relu),
        ("digits", relu, relu),
        ("digits", "5", "/3/Relu_output_0"),
        ("networks/vit", block, block),
    ] {
        let (path, x) = (fixture(&format!("{network}.legacy17.onnx")), input(network));
        for level in LEVELS {
            let directory = tempfile::tempdir().unwrap();
            let target = Target::Argmax;
            let of =
                Options { level, target, relevance_of: vec![name.into()], ..Options::default() };
            let explained = compile(&path, &of, directory.path());
            let r = run(&explained, false, &feed("x", &x), &format!("{name}_relevance"));
            let options = Options { map_at: at.parse().ok(), relevance_of: Vec::new(), ..of };
            let explained = compile(&path, &options, directory.path());
            let map = run(&explained, false, &feed("x", &x), "x_relevance");
            // Tokens lie row by row, behind that of the class.
            let grid = match r.ndim() {
                3 => r.sum_axis(Axis(2)).slice_axis(Axis(1), Slice::from(1..)).to_owned(),
                _ => r.sum_axis(Axis(1)),
            };
            let [batch, rows, columns] = [x.shape()[0], x.shape()[2], x.shape()[3]];
            let side = ((grid.len() / batch) as f64).sqrt() as usize;
            let grid: Vec<f64> = grid.iter().copied().collect();
            let want = ArrayD::from_shape_fn(vec![batch, 1, rows, columns], |at| {
                stretched(&grid[at[0] * side * side..], side, [at[2], at[3]], [rows, columns])
            });
            let apart = distance(&map, &want);
            assert!(
                map.shape() == want.shape() && apart < 1e-5,
                "{network} {at} {level}: {apart:.1e}"
            );
            let sums = [map.sum(), grid.iter().sum()];
            assert!(
                (sums[0] - sums[1]).abs() < 1e-4 * sums[1].abs(),
                "{network} {at} {level}: {sums:?}"
            );
        }
    }
}

/// A place of a square grid that is stretched by linear interpolation between the middles of its cells, and divided by
/// how much larger it gets.
fn stretched(grid: &[f64], side: usize, at: [usize; 2], size: [usize; 2]) -> f64 {
    let place = |axis: usize| {
        let middle = (at[axis] as f64 + 0.5) * side as f64 / size[axis] as f64 - 0.5;
        let middle = middle.clamp(0.0, (side - 1) as f64);
        let first = middle.floor() as usize;
        (first, (first + 1).min(side - 1), middle - middle.floor())
    };
    let ((top, bottom, down), (left, right, along)) = (place(0), place(1));
    let row =
        |row: usize| grid[row * side + left] * (1.0 - along) + grid[row * side + right] * along;
    let share = (side * side) as f64 / (size[0] * size[1]) as f64;
    (row(top) * (1.0 - down) + row(bottom) * down) * share
}

fn what_is_set_chooses_a_branch() {
    let path = fixture("subgraphs/if.onnx");
    let x = normal(&[2, 4], 3).mapv(|v| v as f32);
    for condition in [true, false] {
        let maps = ["", if condition { "c=true" } else { "c=0" }].map(|set| {
            let directory = tempfile::tempdir().unwrap();
            let set = set.parse().into_iter().collect();
            let options = Options { set, ..Options::default() };
            let explained = compile(&path, &options, directory.path());
            let chosen = Model::open(&explained).unwrap();
            let branches = chosen.graph().node.iter().filter(|node| node.op_type() == "If").count();
            let mut feeds = feed("x", &x);
            feeds.push(("c".into(), Array::Bool(ArrayD::from_elem(vec![], condition))));
            (run(&explained, false, &feeds, "x_relevance"), branches)
        });
        let [(at_run_time, two), (set, one)] = maps;
        assert!(distance(&set, &at_run_time) < 1e-6, "{condition}");
        // The source has one, and what is set needs no other.
        assert!(two > 1 && one == 1, "{two} and {one}");
    }
    let refused = |set: &str| {
        let options = Options { set: vec![set.parse().unwrap()], ..Options::default() };
        abslrp::compile(&Model::open(&path).unwrap(), &options).unwrap_err().to_string()
    };
    assert_eq!(refused("d=1"), "'d' cannot be set to 1: the model has no such input");
    assert_eq!(refused("c=0.5"), "'c' cannot be set to 0.5: it holds whole numbers");
    assert!(refused("x=1").contains("its shape is another, is open"), "{}", refused("x=1"));
}

fn relevance_is_there_on_demand() {
    let names = [
        "vgg.legacy17",
        "forms/if_then.op17",
        "forms/loop.op11",
        "forms/function.op17",
        "forms/lstm.op9",
        // Of a batch whose size is known.
        "forms/scatter.op9",
    ];
    for (name, level) in names.into_iter().flat_map(|name| LEVELS.map(|level| (name, level))) {
        let path = fixture(&format!("{name}.onnx"));
        let x = if name.starts_with("vgg") {
            input("vgg")
        } else {
            normal(&shape(&path), 7).mapv(|v| v as f32)
        };
        let explained = |on_demand| {
            let directory = tempfile::tempdir().unwrap();
            let explained = compile(
                &path,
                &Options { level, on_demand, ..Options::default() },
                directory.path(),
            );
            [true, false].map(|explain| {
                let mut feeds = feed("x", &x);
                if on_demand {
                    feeds.push(("explain".into(), Array::Bool(ArrayD::from_elem(vec![], explain))));
                }
                runner(&explained, false).run(&feeds).unwrap()
            })
        };
        let [[always, _], [asked, not_asked]] = [explained(false), explained(true)];
        assert_eq!(always.len(), asked.len());
        for ((always, asked), not_asked) in always.iter().zip(&asked).zip(&not_asked) {
            assert!(asked.1.is_identical(&always.1), "{name} {level}: {}", asked.0);
            if always.0.ends_with("_relevance") {
                assert_eq!(not_asked.1.shape()[0], 0, "{name} {level}");
            } else {
                assert!(not_asked.1.is_identical(&always.1), "{name} {level}: {}", asked.0);
            }
        }
    }
}

fn nodes_in_any_order_and_without_names_are_explained_on_demand() {
    let path = fixture("digits.legacy17.onnx");
    let mut source = ModelProto::decode(&*std::fs::read(&path).unwrap()).unwrap();
    let nodes = &mut source.graph.as_mut().unwrap().node;
    nodes.reverse();
    for node in &mut *nodes {
        node.name = Some(String::new());
    }
    let directory = tempfile::tempdir().unwrap();
    let reversed = directory.path().join("reversed.onnx");
    std::fs::write(&reversed, source.encode_to_vec()).unwrap();
    let on_demand = Options { on_demand: true, ..Options::default() };
    let mut feeds = feed("x", &input("digits"));
    let always = compile(&path, &Options::default(), directory.path());
    let want = run(&always, false, &feeds, "x_relevance");
    let explained = compile(&reversed, &on_demand, directory.path());
    feeds.push(("explain".into(), Array::Bool(ArrayD::from_elem(vec![], true))));
    assert_eq!(run(&explained, false, &feeds, "x_relevance"), want);
}

fn an_intermediate_relevance_adds_up_as_the_inputs_does_to_it() {
    // Between a max pool and the ReLU before it nothing is absorbed but what ε takes.
    let directory = tempfile::tempdir().unwrap();
    let path = fixture("digits.legacy17.onnx");
    let names = ["/3/Relu_output_0", "/4/MaxPool_output_0"];
    let relevance_of = names.map(String::from).to_vec();
    let options = Options { relevance_of, ..notebook() };
    let explained = compile(&path, &options, directory.path());
    let feeds = feed("x", &input("digits"));
    let [before, after] =
        names.map(|name| run(&explained, false, &feeds, &format!("{name}_relevance")).sum());
    assert!((before - after).abs() < 1e-4 * after.abs(), "{before} and {after}");
}

fn what_is_asked_for_twice_is_one_output() {
    let directory = tempfile::tempdir().unwrap();
    let path = fixture("digits.legacy17.onnx");
    let relu = "/3/Relu_output_0";
    // The input has its relevance without being asked for.
    let relevance_of = [relu, "x", relu, "x"].map(String::from).to_vec();
    let explained = compile(&path, &Options { relevance_of, ..notebook() }, directory.path());
    let outputs = runner(&explained, false).run(&feed("x", &input("digits"))).unwrap();
    let names: Vec<_> = outputs.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["logits", "x_relevance", "/3/Relu_output_0_relevance"]);
    let apart = distance(&outputs[1].1.numbers(), &golden("digits", "rel.all"));
    assert!(apart < TOLERANCE, "{apart:.1e}");
}

fn dead_units_give_finite_relevance(name: &str) {
    for level in LEVELS {
        let directory = tempfile::tempdir().unwrap();
        let options = Options { level, ..notebook() };
        let path = fixture(&format!("{name}.legacy17.onnx"));
        let explained = compile(&path, &options, directory.path());
        for value in [0.0, -0.0, 1.0, -1.0, 1e-40, 1e4] {
            let x = ArrayD::from_elem(input(name).shape(), value);
            let r = run(&explained, false, &feed("x", &x), "x_relevance");
            assert!(r.iter().all(|v| v.is_finite()), "{level} at {value}");
        }
    }
}

fn at_the_pole_of_the_formula_nothing_is_amplified() {
    // The largest of numbers that are all −ε is −ε, where y′ + ε vanishes.
    for level in LEVELS {
        let directory = tempfile::tempdir().unwrap();
        let options = Options { level, ..notebook() };
        let path = fixture("forms/global_max_pool.op17.onnx");
        let explained = compile(&path, &options, directory.path());
        let x = ArrayD::from_elem(vec![1, 3, 4, 5], -1e-9f32);
        let r = run(&explained, false, &feed("x", &x), "x_relevance");
        assert!(r.iter().all(|v| v.abs() <= 1e-9), "{level}: {r}");
    }
}
