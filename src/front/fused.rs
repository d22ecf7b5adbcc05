//! Fused operators: what an optimiser made of nodes, as nodes again.
//!
//! ONNX Runtime writes them when it saves an optimised model, in the domain `com.microsoft`. They are
//! the same operators in another dress, so they are taken as calls of the functions they stand for.

use super::Body;
use crate::onnx::attribute::{float, int, ints};
use crate::{
    ir::Type,
    onnx::{
        DataType,
        schema::{AttributeProto, NodeProto, TensorProto},
    },
};

/// The fused operators that are known, in the domain `com.microsoft` or without one; `Scaler` in
/// `ai.onnx.ml`.
pub const NAMES: &[&str] = &[
    "BiasGelu",
    "FastGelu",
    "FusedConv",
    "FusedGemm",
    "FusedMatMul",
    "Gelu",
    "QuickGelu",
    "Scaler",
    "SimplifiedLayerNormalization",
    "SkipLayerNormalization",
    "SkipSimplifiedLayerNormalization",
];

/// The nodes that a fused operator stands for; `None` for any other. `types` are those of its
/// operands.
pub fn body(call: &NodeProto, types: &[Option<&Type>], opset: i64) -> Option<Body> {
    match (call.domain(), call.op_type()) {
        ("com.microsoft", _) | (_, "SimplifiedLayerNormalization") | ("ai.onnx.ml", "Scaler") => {}
        _ => return None,
    }
    let elem = types.first().copied().flatten()?.elem;
    let mut body = Builder { elem, opset, nodes: Vec::new(), constants: Vec::new() };
    let get = |name: &str| call.attribute.iter().find(|a| a.name() == name);
    let has = |i: usize| types.get(i).copied().flatten().is_some();
    let rank = |i: usize| types.get(i).copied().flatten()?.rank();
    let number = |name: &str, default: f32| get(name).map_or(default, |a| a.f());
    let keep = |names: &[&str]| -> Vec<AttributeProto> {
        call.attribute.iter().filter(|a| names.contains(&a.name())).cloned().collect()
    };
    let x = "0";
    let y = match call.op_type() {
        "FusedConv" => {
            let kept = keep(&["auto_pad", "dilations", "group", "kernel_shape", "pads", "strides"]);
            let bias = if has(2) { "2" } else { "" };
            let mut y = body.add("Conv", &[x, "1", bias], kept);
            if has(3) {
                y = body.add("Add", &[&y, "3"], vec![]);
            }
            body.activation(call, &y)?
        }
        "FusedGemm" => {
            let kept = keep(&["alpha", "beta", "transA", "transB"]);
            let bias = if has(2) { "2" } else { "" };
            let y = body.add("Gemm", &[x, "1", bias], kept);
            body.activation(call, &y)?
        }
        "FusedMatMul" => {
            let flag = |name: &str| get(name).is_some_and(|a| a.i() != 0);
            if flag("transBatchA") || flag("transBatchB") {
                return None;
            }
            let mut turned = |operand: &str, flag: bool, rank: Option<usize>| {
                let rank = rank.filter(|&rank| rank >= 2);
                let Some(rank) = rank.filter(|_| flag) else {
                    return (!flag).then(|| operand.into());
                };
                let mut order: Vec<_> = (0..rank as i64).collect();
                order.swap(rank - 1, rank - 2);
                Some(body.add("Transpose", &[operand], vec![ints("perm", &order)]))
            };
            let a = turned(x, flag("transA"), rank(0))?;
            let b = turned("1", flag("transB"), rank(1))?;
            let y = body.add("MatMul", &[&a, &b], vec![]);
            let alpha = number("alpha", 1.0);
            if (alpha - 1.0).abs() > 0.0 {
                let alpha = body.number(alpha.into());
                body.add("Mul", &[&y, &alpha], vec![])
            } else {
                y
            }
        }
        "Gelu" => body.gelu(x),
        "BiasGelu" => {
            let sum = body.add("Add", &[x, "1"], vec![]);
            body.gelu(&sum)
        }
        "FastGelu" => {
            let sum = if has(1) { body.add("Add", &[x, "1"], vec![]) } else { x.into() };
            body.tanh_gelu(&sum)
        }
        "QuickGelu" => {
            let alpha = body.number(number("alpha", 1.702).into());
            let scaled = body.add("Mul", &[x, &alpha], vec![]);
            let gate = body.add("Sigmoid", &[&scaled], vec![]);
            body.add("Mul", &[x, &gate], vec![])
        }
        "SkipLayerNormalization" | "SkipSimplifiedLayerNormalization" => {
            let simplified = call.op_type() == "SkipSimplifiedLayerNormalization";
            // Without a shift the operands behind the scale are one fewer.
            let (shift, bias) =
                if simplified { (None, 3) } else { (Some(3).filter(|&i| has(i)), 4) };
            let mut sum = body.add("Add", &[x, "1"], vec![]);
            if has(bias) {
                sum = body.add("Add", &[&sum, &bias.to_string()], vec![]);
            }
            let shift = shift.map_or(String::new(), |i: usize| i.to_string());
            let epsilon = number("epsilon", 1e-12);
            let y = body.layer_normalization(&sum, "2", &shift, -1, rank(0)?, epsilon, simplified);
            // Statistics that nobody asks for at inference stand between.
            let outputs = [y, String::new(), String::new(), sum];
            return Some(body.finish(types.len(), &outputs[..call.output.len().min(4)]));
        }
        "SimplifiedLayerNormalization" => {
            let axis = get("axis").map_or(-1, |a| a.i());
            let epsilon = number("epsilon", 1e-5);
            body.layer_normalization(x, "1", "", axis, rank(0)?, epsilon, true)
        }
        // What scikit-learn's scalers are: (x − offset) · scale, in float32.
        "Scaler" => {
            let list = |name: &str| get(name).map_or(&[][..], |a| &a.floats).to_vec();
            let mut y = body.add("Cast", &[x], vec![int("to", DataType::Float as i64)]);
            for (name, op_type) in [("offset", "Sub"), ("scale", "Mul")] {
                let list: Vec<_> = list(name).into_iter().map(f64::from).collect();
                if !list.is_empty() {
                    let tensor = TensorProto::of_floats(DataType::Float, &[list.len()], &list);
                    body.constants.push(TensorProto { name: Some(name.into()), ..tensor });
                    y = body.add(op_type, &[&y, name], vec![]);
                }
            }
            y
        }
        _ => return None,
    };
    Some(body.finish(types.len(), &[y]))
}

/// Nodes under construction. Operands of the call are called by their number.
struct Builder {
    elem: DataType,
    opset: i64,
    nodes: Vec<NodeProto>,
    constants: Vec<TensorProto>,
}

impl Builder {
    fn add(&mut self, op_type: &str, input: &[&str], attribute: Vec<AttributeProto>) -> String {
        let name = format!("{op_type}_{}", self.nodes.len());
        self.nodes.push(NodeProto {
            input: input.iter().map(ToString::to_string).collect(),
            output: vec![name.clone()],
            name: Some(name.clone()),
            op_type: Some(op_type.into()),
            attribute,
            ..NodeProto::default()
        });
        name
    }

    fn number(&mut self, value: f64) -> String {
        let name = format!("number_{}", self.constants.len());
        let tensor = TensorProto::of_floats(self.elem, &[], &[value]);
        self.constants.push(TensorProto { name: Some(name.clone()), ..tensor });
        name
    }

    /// ½ x (1 + erf(x/√2))
    fn gelu(&mut self, x: &str) -> String {
        let (root, one, half) =
            (self.number(std::f64::consts::SQRT_2), self.number(1.0), self.number(0.5));
        let scaled = self.add("Div", &[x, &root], vec![]);
        let erf = self.add("Erf", &[&scaled], vec![]);
        self.gated(x, &erf, &one, &half)
    }

    /// ½ x (1 + tanh(√(2/π) (x + 0.044715 x³)))
    fn tanh_gelu(&mut self, x: &str) -> String {
        let scale = (2.0 / std::f64::consts::PI).sqrt();
        let numbers = [3.0, 0.044_715, scale, 1.0, 0.5].map(|value| self.number(value));
        let [three, cubic, scale, one, half] = numbers;
        let cube = self.add("Pow", &[x, &three], vec![]);
        let cube = self.add("Mul", &[&cube, &cubic], vec![]);
        let sum = self.add("Add", &[x, &cube], vec![]);
        let scaled = self.add("Mul", &[&sum, &scale], vec![]);
        let tanh = self.add("Tanh", &[&scaled], vec![]);
        self.gated(x, &tanh, &one, &half)
    }

    fn gated(&mut self, x: &str, gate: &str, one: &str, half: &str) -> String {
        let gate = self.add("Add", &[gate, one], vec![]);
        let product = self.add("Mul", &[x, &gate], vec![]);
        self.add("Mul", &[&product, half], vec![])
    }

    /// The activation that is fused behind a product.
    fn activation(&mut self, call: &NodeProto, x: &str) -> Option<String> {
        let get = |name: &str| call.attribute.iter().find(|a| a.name() == name);
        let name = get("activation").and_then(|a| std::str::from_utf8(a.s()).ok()).unwrap_or("");
        let listed = get("activation_params").map_or(&[][..], |a| &a.floats);
        let parameter = |i: usize, name: &str| {
            listed.get(i).copied().or_else(|| get(&format!("activation_{name}")).map(|a| a.f()))
        };
        Some(match name {
            "" => x.into(),
            "Relu" | "Sigmoid" | "Tanh" => self.add(name, &[x], vec![]),
            "LeakyRelu" => {
                let alpha = float("alpha", parameter(0, "alpha").unwrap_or(0.01));
                self.add(name, &[x], vec![alpha])
            }
            "HardSigmoid" => {
                let alpha = float("alpha", parameter(0, "alpha").unwrap_or(0.2));
                let beta = float("beta", parameter(1, "beta").unwrap_or(0.5));
                self.add(name, &[x], vec![alpha, beta])
            }
            "Clip" => {
                let (low, high) = (parameter(0, "min")?, parameter(1, "max")?);
                if self.opset < 11 {
                    return Some(self.add(name, &[x], vec![float("min", low), float("max", high)]));
                }
                let (low, high) = (self.number(low.into()), self.number(high.into()));
                self.add(name, &[x, &low, &high], vec![])
            }
            _ => return None,
        })
    }

    /// A `LayerNormalization`, or the same without a mean, as the nodes it is in every opset.
    #[allow(clippy::too_many_arguments)]
    fn layer_normalization(
        &mut self,
        x: &str,
        scale: &str,
        shift: &str,
        axis: i64,
        rank: usize,
        epsilon: f32,
        simplified: bool,
    ) -> String {
        let first = if axis < 0 { axis + rank as i64 } else { axis };
        let axes: Vec<_> = (first..rank as i64).collect();
        let mean = |nodes: &mut Self, v: &str| {
            if nodes.opset < 18 {
                return nodes.add(
                    "ReduceMean",
                    &[v],
                    vec![ints("axes", &axes), int("keepdims", 1)],
                );
            }
            let name = String::from("axes");
            if nodes.constants.iter().all(|tensor| tensor.name() != name) {
                let tensor = TensorProto::of_ints(&[axes.len()], &axes);
                nodes.constants.push(TensorProto { name: Some(name.clone()), ..tensor });
            }
            nodes.add("ReduceMean", &[v, &name], vec![])
        };
        let centred = if simplified {
            x.to_string()
        } else {
            let mean = mean(self, x);
            self.add("Sub", &[x, &mean], vec![])
        };
        let squared = self.add("Mul", &[&centred, &centred], vec![]);
        let variance = mean(self, &squared);
        let epsilon = self.number(epsilon.into());
        let sum = self.add("Add", &[&variance, &epsilon], vec![]);
        let deviation = self.add("Sqrt", &[&sum], vec![]);
        let mut y = self.add("Div", &[&centred, &deviation], vec![]);
        y = self.add("Mul", &[&y, scale], vec![]);
        if shift.is_empty() { y } else { self.add("Add", &[&y, shift], vec![]) }
    }

    fn finish(self, operands: usize, outputs: &[String]) -> Body {
        Body {
            inputs: (0..operands).map(|i| i.to_string()).collect(),
            outputs: outputs.to_vec(),
            nodes: self.nodes,
            constants: self.constants,
            open: false,
        }
    }
}
