//! Other precisions. Where ONNX Runtime's CPU has no kernel — float64 convolutions — the emitted
//! graphs run on ONNX's own reference evaluator, which shows what they are worth without rounding.

use std::{path::Path, process::Command};

use half::f16;
use libtest_mimic::Trial;
use ndarray::ArrayD;

use crate::common::{
    Array, DataType, LEVELS, Model, ModelProto, NodeProto, Options, TensorProto, compile, distance,
    explain, feed, fixture, float, golden, input, notebook, python_packages, run, runner, trials,
    type_proto,
};

pub fn trials() -> Vec<Trial> {
    trials![
        in_float64_nothing_is_left_of_the_distance_to_the_notebook,
        float16_is_explained_in_float32,
        bfloat16_is_explained_in_float32,
        a_quantised_weight_is_a_weight,
        a_swiglu_is_what_it_stands_for,
    ]
}

/// The network with weights, inputs and outputs of another floating-point type.
fn converted(name: &str, elem: DataType) -> Model {
    let model = Model::open(fixture(&format!("{name}.legacy17.onnx"))).unwrap();
    let mut proto = ModelProto::clone(model.proto());
    let graph = proto.graph.as_mut().unwrap();
    for tensor in graph.initializer.iter_mut().filter(|t| t.data_type() == DataType::Float as i32) {
        let raw = tensor.raw_data().to_vec();
        let values: Vec<f64> =
            raw.as_chunks().0.iter().map(|&b| f32::from_le_bytes(b).into()).collect();
        let dims: Vec<_> = tensor.dims.iter().map(|&d| d as usize).collect();
        let name = tensor.name.clone();
        *tensor = TensorProto { name, ..TensorProto::of_floats(elem, &dims, &values) };
    }
    for info in graph.input.iter_mut().chain(&mut graph.output).chain(&mut graph.value_info) {
        if let Some(type_proto::Value::TensorType(ty)) =
            info.r#type.as_mut().and_then(|ty| ty.value.as_mut())
        {
            ty.elem_type = Some(elem as i32);
        }
    }
    Model::new(proto, model.path()).unwrap()
}

/// Runs the models in a folder on the reference evaluator.
fn evaluate(folder: &Path) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/reference.py");
    let output = Command::new("python3")
        .env("PYTHONPATH", python_packages())
        .arg(script)
        .arg(folder)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn write_explained(model: &Model, options: &Options, out: &Path) {
    explain(model, options).unwrap().write(out).unwrap();
}

fn in_float64_nothing_is_left_of_the_distance_to_the_notebook() {
    let directory = tempfile::tempdir().unwrap();
    // The evaluator cannot do some grouped transposed convolutions, which the others need.
    let networks = ["digits", "cancer", "lenet", "vgg"];
    for name in networks {
        for level in LEVELS {
            let path = directory.path().join(format!("{name}{level}.onnx"));
            let model = converted(name, DataType::Double);
            write_explained(&model, &Options { level, ..notebook() }, &path);
            let x = Array::Float64(input(name).mapv(f64::from));
            x.write(&path.with_extension("x.npy")).unwrap();
        }
    }
    evaluate(directory.path());
    for name in networks {
        for level in LEVELS {
            let path = directory.path().join(format!("{name}{level}.r.npy"));
            let apart = distance(&Array::read(&path).unwrap(), &golden(name, "rel.all"));
            // float32 is at 1e-7 to 5e-4 here. Standardisation rounds its constants.
            assert!(
                apart < if name == "cancer" { 1e-6 } else { 1e-10 },
                "{name}{level}: {apart:.1e}"
            );
        }
    }
}

fn float16_is_explained_in_float32() {
    for level in LEVELS {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("half.onnx");
        let model = converted("digits", DataType::Float16);
        write_explained(&model, &Options { level, ..notebook() }, &path);
        let x: ArrayD<f16> = input("digits").mapv(f16::from_f32);
        let feeds = vec![("x".to_string(), Array::Float16(x))];
        let outputs = runner(&path, true).run(&feeds).unwrap();
        let (_, relevance) = outputs.iter().find(|(name, _)| name == "x_relevance").unwrap();
        assert!(matches!(relevance, Array::Float32(_)), "{level}");
        let apart = distance(&relevance.numbers(), &golden("digits", "rel.all"));
        assert!(apart < 2e-3, "{level}: {apart:.1e}");
    }
}

fn bfloat16_is_explained_in_float32() {
    // ONNX Runtime's CPU does not run it; the declared types say what is computed.
    let model = converted("digits", DataType::Bfloat16);
    let explanation = explain(&model, &Options::default()).unwrap();
    let (_, ty) = &explanation.summary().relevance[0];
    assert!(ty.starts_with("f32"), "{ty}");
    let computed = explanation.addition().initializers.iter().filter_map(|t| {
        DataType::try_from(t.data_type()).ok().filter(|elem| *elem != DataType::Int64)
    });
    assert!(computed.into_iter().all(|elem| elem == DataType::Float));
}

fn a_quantised_weight_is_a_weight() {
    // x·W with W behind DequantizeLinear, and the same with the product of both as a constant.
    let directory = tempfile::tempdir().unwrap();
    let x = ArrayD::from_shape_fn(vec![2, 5], |at| 0.3 + at[0] as f32 * 0.2 + at[1] as f32 * 0.1);
    let relevance = |name: &str| {
        let path = fixture(&format!("forms/{name}.op17.onnx"));
        let out = compile(&path, &Options::default(), directory.path());
        run(&out, false, &feed("x", &x), "x_relevance")
    };
    let apart = distance(&relevance("matmul_quantised"), &relevance("matmul_dequantised"));
    assert!(apart < 1e-6, "{apart:.1e}");
}

/// ONNX Runtime's CPU has no `SwiGLU`, which the standard defines as a product with a `Swish`.
fn a_swiglu_is_what_it_stands_for() {
    let directory = tempfile::tempdir().unwrap();
    let form = Model::open(fixture("forms/mul_two_activations.op17.onnx")).unwrap();
    let x = ArrayD::from_shape_fn(vec![2, 3, 4], |at| {
        at[0] as f32 - at[1] as f32 * 0.7 + at[2] as f32 * 0.2 + 0.15
    });
    let write = |name: &str, change: &dyn Fn(&mut Vec<NodeProto>)| {
        let mut proto = ModelProto::clone(form.proto());
        (proto.ir_version, proto.opset_import[0].version) = (Some(13), Some(28));
        change(&mut proto.graph.as_mut().unwrap().node);
        let path = directory.path().join(format!("{name}.onnx"));
        let model = Model::new(proto, &path).unwrap();
        write_explained(&model, &Options::default(), &path);
        Array::Float32(x.clone()).write(&path.with_extension("x.npy")).unwrap();
    };
    for (name, alpha) in [("plain", None), ("scaled", Some(float("alpha", 1.4)))] {
        write(&format!("{name}_fused"), &|nodes| {
            let product = nodes.last_mut().unwrap();
            product.op_type = Some("SwiGLU".into());
            product.attribute.extend(alpha.clone());
        });
        write(&format!("{name}_written"), &|nodes| {
            let gate = NodeProto {
                op_type: Some("Swish".into()),
                input: vec![nodes.last().unwrap().input[0].clone()],
                output: vec!["gate".into()],
                attribute: alpha.clone().into_iter().collect(),
                ..NodeProto::default()
            };
            nodes.last_mut().unwrap().input[0] = "gate".into();
            nodes.insert(nodes.len() - 1, gate);
        });
    }
    evaluate(directory.path());
    for name in ["plain", "scaled"] {
        let [fused, written] = ["fused", "written"].map(|form| {
            Array::read(&directory.path().join(format!("{name}_{form}.r.npy"))).unwrap()
        });
        let apart = distance(&fused, &written);
        assert!(written.iter().all(|r| r.abs() > 1e-3) && apart < 1e-6, "{name}: {apart:.1e}");
    }
}
