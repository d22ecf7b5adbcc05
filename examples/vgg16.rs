//! Writes a VGG16 with random weights: 224×224 images, dynamic batch, 553 MB.
//!
//! ```sh
//! cargo run --release --example vgg16 -- vgg16.onnx
//! ```
//!
//! The weights are He-normal from a fixed seed, so that activations keep their scale through the
//! network as they do in a trained one; the file is the same on every machine.

use std::{collections::VecDeque, path::PathBuf};

use abslrp::{
    onnx::attribute::{int, ints},
    onnx::{
        DataType, Model,
        schema::{
            AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto,
            TensorShapeProto, TypeProto, ValueInfoProto,
            tensor_shape_proto::{Dimension, dimension::Value},
            type_proto,
        },
    },
};

/// `SplitMix64` (Steele et al. 2014), and Box and Muller's normal numbers from it.
struct Random(u64);

impl Random {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }

    fn tensor(&mut self, name: String, dims: &[i64], deviation: f64) -> TensorProto {
        let count: i64 = dims.iter().product();
        let values = (0..count).flat_map(|_| ((self.normal() * deviation) as f32).to_le_bytes());
        TensorProto {
            name: Some(name),
            dims: dims.to_vec(),
            data_type: Some(DataType::Float as i32),
            raw_data: Some(values.collect::<Vec<u8>>().into()),
            ..TensorProto::default()
        }
    }
}

fn info(name: &str, dims: &[i64]) -> ValueInfoProto {
    let known = dims.iter().map(|&n| Value::DimValue(n));
    let values = std::iter::once(Value::DimParam("batch".into())).chain(known);
    let dim = values.map(|value| Dimension { value: Some(value), denotation: None }).collect();
    let tensor = type_proto::Tensor {
        elem_type: Some(DataType::Float as i32),
        shape: Some(TensorShapeProto { dim }),
    };
    ValueInfoProto {
        name: Some(name.into()),
        r#type: Some(TypeProto {
            value: Some(type_proto::Value::TensorType(tensor)),
            denotation: None,
        }),
        ..ValueInfoProto::default()
    }
}

#[derive(Default)]
struct Builder {
    graph: GraphProto,
    at: String,
}

impl Builder {
    fn node(
        &mut self,
        op: &str,
        name: String,
        weights: Vec<String>,
        attribute: Vec<AttributeProto>,
    ) {
        let mut input = VecDeque::from(weights);
        input.push_front(std::mem::replace(&mut self.at, name.clone()));
        self.graph.node.push(NodeProto {
            input: input.into(),
            output: vec![name.clone()],
            name: Some(name),
            op_type: Some(op.into()),
            attribute,
            ..NodeProto::default()
        });
    }

    fn layer(
        &mut self,
        random: &mut Random,
        op: &str,
        name: &str,
        dims: &[i64],
        attribute: Vec<AttributeProto>,
    ) {
        let fan_in: i64 = dims[1..].iter().product();
        let (weight, bias) = (format!("{name}.weight"), format!("{name}.bias"));
        let deviation = (2.0 / fan_in as f64).sqrt();
        self.graph.initializer.push(random.tensor(weight.clone(), dims, deviation));
        self.graph.initializer.push(random.tensor(bias.clone(), &dims[..1], 0.05));
        self.node(op, name.into(), vec![weight, bias], attribute);
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).map_or_else(|| PathBuf::from("vgg16.onnx"), PathBuf::from);
    let mut random = Random(16);
    let mut net = Builder { at: "input".into(), ..Builder::default() };
    let mut channels = 3;
    for (block, (width, depth)) in
        [(64, 2), (128, 2), (256, 3), (512, 3), (512, 3)].iter().enumerate()
    {
        for layer in 0..*depth {
            let name = format!("conv{}_{}", block + 1, layer + 1);
            let attributes = vec![ints("kernel_shape", &[3, 3]), ints("pads", &[1, 1, 1, 1])];
            net.layer(&mut random, "Conv", &name, &[*width, channels, 3, 3], attributes);
            net.node("Relu", format!("relu{}_{}", block + 1, layer + 1), vec![], vec![]);
            channels = *width;
        }
        let window = vec![ints("kernel_shape", &[2, 2]), ints("strides", &[2, 2])];
        net.node("MaxPool", format!("pool{}", block + 1), vec![], window);
    }
    net.node("Flatten", "flatten".into(), vec![], vec![]);
    for (name, outputs, inputs) in
        [("fc6", 4096, 25088), ("fc7", 4096, 4096), ("logits", 1000, 4096)]
    {
        net.layer(&mut random, "Gemm", name, &[outputs, inputs], vec![int("transB", 1)]);
        if name != "logits" {
            net.node("Relu", format!("relu_{name}"), vec![], vec![]);
        }
    }
    net.graph.name = Some("vgg16".into());
    net.graph.input.push(info("input", &[3, 224, 224]));
    net.graph.output.push(info("logits", &[1000]));
    let proto = ModelProto {
        ir_version: Some(8),
        producer_name: Some("abslrp".into()),
        opset_import: vec![OperatorSetIdProto { domain: Some(String::new()), version: Some(17) }],
        graph: Some(net.graph),
        ..ModelProto::default()
    };
    // The writer guards a model's own file; this one has none yet.
    let model = Model::new(proto, "")?;
    let bytes = model.writer().write(&path)?;
    println!("{}: {bytes} bytes", path.display());
    Ok(())
}
