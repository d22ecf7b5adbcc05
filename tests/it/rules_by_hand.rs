//! Every rule at one layer, `y = x·W + b`, written out: what the formula says, number by number, against
//! what the emitted model computes in float64.

use std::path::Path;

use libtest_mimic::Trial;
use ndarray::{ArrayD, arr2};
use prost::Message;

use crate::common::{
    Array, DataType, Device, Dimension, GraphProto, LEVELS, Model, ModelProto, NodeProto,
    OperatorSetIdProto, Options, Runner, Source, TensorProto, TensorShapeProto, TypeProto,
    ValueInfoProto, dimension, explain, rules, runtime, trial, trials, type_proto,
};

const X: [[f64; 3]; 2] = [[1.5, -0.7, 0.3], [-2.0, 0.4, 1.1]];
const W: [[f64; 2]; 3] = [[0.8, -1.2], [-0.5, 0.9], [1.7, 0.6]];
const B: [f64; 2] = [0.35, -0.25];

/// The relevance of the inputs of the layer at one sample.
type ByHand = fn(&Layer) -> [f64; 3];

/// Rules as they are asked for, and written out. Contributions, results and the notebook's `y′` have
/// both signs here.
const RULES: &[(&str, ByHand)] = &[
    // s = R · sign(y′) / (y′ + ε), with y′ = f(x; W, b) + f(x; |W|, |b|)
    ("abslrp-notebook", |layer| {
        let over = |r: f64, z: f64, _| r * z.signum() / (z + 1e-9);
        layer.share(|x, w, _| x * w + x * w.abs(), |b, _| b + b.abs(), over)
    }),
    // s = R / (y′ + ε), with y′ = f(x; W, b) + f(|x|; |W|, |b|): by positive contributions.
    ("abslrp", |layer| {
        let contribution = |x: f64, w: f64, _| x * w + (x * w).abs();
        layer.share(contribution, |b, _| b + b.abs(), |r, z, _| r / (z + 1e-9))
    }),
    // s = R / (|y| + ε), shared by f(x; W, b) + f(|x|; |W|, |b|), and scaled to Σ |R| = 1. From 1 for the
    // largest class, less the same from 1 for the other, over the largest magnitude.
    ("abslrp-official", |layer| {
        let from = |start: [f64; 2]| {
            let over = |r, _, y: f64| r / (y.abs() + 1e-9);
            let contribution = |x: f64, w: f64, _| x * w + x.abs() * w.abs();
            let shares = Layer { r: start, ..*layer }.share(contribution, |b, _| b + b.abs(), over);
            let sum: f64 = shares.iter().map(|r| r.abs()).sum();
            shares.map(|r| r / sum)
        };
        let largest = layer.y[0] > layer.y[1];
        let [own, other] =
            [largest, !largest].map(|first| from(if first { [1.0, 0.0] } else { [0.0, 1.0] }));
        let difference = [0, 1, 2].map(|i| own[i] - other[i]);
        let largest = difference.iter().fold(0.0, |m: f64, r| m.max(r.abs()));
        difference.map(|r| r / largest)
    }),
    // s = R / (y + ε · sign(y))
    ("epsilon", |layer| layer.share(|x, w, _| x * w, |b, _| b, over_stabilised)),
    ("epsilon:epsilon=0.25", |layer| {
        layer.share(|x, w, _| x * w, |b, _| b, |r, z, _| r / stabilised(z, 0.25))
    }),
    ("norm", |layer| layer.share(|x, w, _| x * w, |b, _| b, over_stabilised)),
    // The same with another ε.
    ("attnlrp", |layer| layer.share(|x, w, _| x * w, |b, _| b, |r, z, _| r / stabilised(z, 1e-9))),
    ("cp-lrp", |layer| layer.share(|x, w, _| x * w, |b, _| b, |r, z, _| r / stabilised(z, 1e-9))),
    // What has the sign of the result counts more, by γ.
    ("gamma:gamma=0.5", |layer| {
        let more = |v: f64, y: f64| if v * y > 0.0 { 1.5 * v } else { v };
        layer.share(|x, w, y| more(x * w, y), more, over_stabilised)
    }),
    // α · share by z⁺ − β · share by z⁻
    ("alpha-beta:alpha=1.5,beta=0.5", |layer| {
        let positive = layer.share(positive_product, |b, _| b.max(0.0), over_stabilised);
        let negative = layer.share(|x, w, _| (x * w).min(0.0), |b, _| b.min(0.0), over_stabilised);
        [0, 1, 2].map(|i| 1.5 * positive[i] - 0.5 * negative[i])
    }),
    ("zplus", |layer| layer.share(positive_product, |b, _| b.max(0.0), over_stabilised)),
    ("excitation", |layer| layer.share(positive_product, |_, _| 0.0, over_stabilised)),
    // z = f(x; θ) − f(l; θ⁺) − f(h; θ⁻), where biases cancel
    ("zbox:low=-3,high=2", |layer| {
        let contribution = |x, w: f64, _| x * w + 3.0 * w.max(0.0) - 2.0 * w.min(0.0);
        layer.share(contribution, |_, _| 0.0, over_stabilised)
    }),
    ("wsquare", |layer| layer.share(|_, w, _| w * w, |b, _| b * b, over_stabilised)),
    ("flat", |layer| layer.share(|_, _, _| 1.0, |_, _| 0.0, over_stabilised)),
    // Jᵀ R; the rules for activations do the same at layers.
    ("gradient", |layer| layer.share(|_, w, _| w, |_, _| 0.0, |r, _, _| r)),
    ("guided", |layer| layer.share(|_, w, _| w, |_, _| 0.0, |r, _, _| r)),
    ("deconvolution", |layer| layer.share(|_, w, _| w, |_, _| 0.0, |r, _, _| r)),
    ("gradient-x-input", |layer| layer.share(|x, w, _| x * w, |_, _| 0.0, |r, _, _| r)),
];

/// Relevance does not come through these at a layer whose result has another shape than its input.
const WITHOUT: [&str; 2] = ["pass", "zero"];

pub fn trials() -> Vec<Trial> {
    let by_hand = RULES.iter().map(|&(rule, by_hand)| {
        trial(format!("rules_by_hand::{rule}"), move || the_formula_is_computed(rule, by_hand))
    });
    by_hand.chain(trials![every_rule_is_written_out]).collect()
}

/// The layer at one sample.
#[derive(Clone, Copy)]
struct Layer {
    x: [f64; 3],
    y: [f64; 2],
    /// The relevance of `y`.
    r: [f64; 2],
}

impl Layer {
    /// At a sample, with relevance that starts from the result itself.
    fn at(x: [f64; 3]) -> Self {
        let mut y = B;
        for j in 0..2 {
            for i in 0..3 {
                y[j] += x[i] * W[i][j];
            }
        }
        Self { x, y, r: y }
    }

    /// What most rules do: `R_i = Σ_j c_ij s_j`. A contribution `c_ij` is a function of the input, the
    /// weight and the result; `z_j` is the sum of them and of what the bias becomes; and `s_j` is a
    /// function of `R_j`, `z_j` and `y_j`.
    fn share(
        &self,
        contribution: impl Fn(f64, f64, f64) -> f64,
        bias: impl Fn(f64, f64) -> f64,
        quotient: impl Fn(f64, f64, f64) -> f64,
    ) -> [f64; 3] {
        let mut shares = [0.0; 3];
        for j in 0..2 {
            let c = [0, 1, 2].map(|i| contribution(self.x[i], W[i][j], self.y[j]));
            let z = c[0] + c[1] + c[2] + bias(B[j], self.y[j]);
            let s = quotient(self.r[j], z, self.y[j]);
            for i in 0..3 {
                shares[i] += c[i] * s;
            }
        }
        shares
    }
}

fn positive_product(x: f64, w: f64, _y: f64) -> f64 {
    (x * w).max(0.0)
}

/// `z + ε · sign(z)`, with sign(0) = 1.
fn stabilised(z: f64, epsilon: f64) -> f64 {
    if z < 0.0 { z - epsilon } else { z + epsilon }
}

/// `R / (z + ε · sign(z))` with the ε of most rules.
fn over_stabilised(r: f64, z: f64, _y: f64) -> f64 {
    r / stabilised(z, 1e-6)
}

fn every_rule_is_written_out() {
    let names = RULES.iter().map(|(rule, _)| rule.split(':').next().unwrap()).chain(WITHOUT);
    let names: Vec<_> = names.collect();
    for rule in rules::ALL {
        assert!(names.contains(&rule.name()), "{} is not", rule.name());
    }
}

fn the_formula_is_computed(rule: &str, by_hand: ByHand) {
    let target = if rule == "abslrp-official" { "argmax" } else { "all" };
    let (rule, target) = (rule.parse().unwrap(), target.parse().unwrap());
    let options = Options { rule, target, ..Options::default() };
    let expected = X.map(|x| by_hand(&Layer::at(x)));
    for level in LEVELS {
        let computed = relevance(&Options { level, ..options.clone() });
        for (at, expected) in expected.as_flattened().iter().enumerate() {
            let computed = computed.as_slice().unwrap()[at];
            assert!(
                (computed - expected).abs() < 1e-12 * expected.abs().max(1.0),
                "{level}: R[{},{}] is {computed}, by hand {expected}",
                at / 3,
                at % 3
            );
        }
    }
}

/// The relevance of `X` in the explained model.
fn relevance(options: &Options) -> ArrayD<f64> {
    let model = model();
    let bytes = explain(&model, options).unwrap().encode().concat();
    let source = Source::Memory(&bytes, Path::new("."));
    let mut runner = Runner::new(&source, false, Device::Cpu, &runtime()).unwrap();
    let outputs = runner.run(&[("x".into(), Array::Float64(arr2(&X).into_dyn()))]).unwrap();
    let (_, relevance) = outputs.into_iter().find(|(name, _)| name == "x_relevance").unwrap();
    relevance.numbers()
}

/// The layer as a model.
fn model() -> Model {
    let info = |name: &str, dims: [i64; 2]| {
        let size =
            |n| Dimension { value: Some(dimension::Value::DimValue(n)), ..Dimension::default() };
        let tensor = type_proto::Tensor {
            elem_type: Some(DataType::Double as i32),
            shape: Some(TensorShapeProto { dim: dims.map(size).into() }),
        };
        let value = Some(type_proto::Value::TensorType(tensor));
        ValueInfoProto {
            name: Some(name.into()),
            r#type: Some(TypeProto { value, ..TypeProto::default() }),
            ..ValueInfoProto::default()
        }
    };
    let tensor = |name: &str, dims: &[usize], values: &[f64]| TensorProto {
        name: Some(name.into()),
        ..TensorProto::of_floats(DataType::Double, dims, values)
    };
    let layer = NodeProto {
        input: ["x", "W", "b"].map(String::from).into(),
        output: vec!["y".into()],
        op_type: Some("Gemm".into()),
        ..NodeProto::default()
    };
    let graph = GraphProto {
        name: Some("layer".into()),
        node: vec![layer],
        initializer: vec![tensor("W", &[3, 2], W.as_flattened()), tensor("b", &[2], &B)],
        input: vec![info("x", [2, 3])],
        output: vec![info("y", [2, 2])],
        ..GraphProto::default()
    };
    let proto = ModelProto {
        ir_version: Some(8),
        opset_import: vec![OperatorSetIdProto {
            version: Some(17),
            ..OperatorSetIdProto::default()
        }],
        graph: Some(graph),
        ..ModelProto::default()
    };
    Model::decode(proto.encode_to_vec().into(), "layer.onnx").unwrap()
}
