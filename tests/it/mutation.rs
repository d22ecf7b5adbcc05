//! Valid models with one thing changed: each compiles to a model that ONNX Runtime loads, or is
//! refused with a reason.

use std::{
    env, fs,
    ops::Range,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
};

use libtest_mimic::Trial;
use prost::Message;

use crate::common::{
    AttributeProto, Device, External, LEVELS, Level, Model, ModelProto, NodeProto, Options, Runner,
    Source, TensorProto, each_model, explain, models, operators, runtime, stem, text,
    trial::last_panic, trials, type_proto,
};

/// How many mutants there are of each form: 10 000 of all.
const MUTANTS: u64 = 22;

/// Names the only mutant of each form that is tried, by its seed.
const ONE: &str = "ABSLRP_MUTANT";

pub fn trials() -> Vec<Trial> {
    let mut trials =
        each_model("mutation", models("forms"), changed_models_are_explained_or_refused);
    trials.extend(trials![many_are_explained_and_many_refused]);
    trials
}

/// Numbers that look random and are the same every time.
struct Random(u64);

impl Random {
    /// Numbers for a mutant of a form. They depend on nothing else, so that it can be made alone.
    fn new(form: &str, seed: u64) -> Self {
        // A hash (FNV-1a), so that seeds that are close do not start close.
        let hash = |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        Self(form.bytes().chain(seed.to_le_bytes()).fold(0xcbf2_9ce4_8422_2325, hash))
    }

    fn below(&mut self, n: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n.max(1)
    }

    fn pick<'t, T>(&mut self, from: &'t [T]) -> &'t T {
        &from[self.below(from.len())]
    }

    fn number(&mut self) -> i64 {
        *self.pick(&[-1, 0, 1, 2, 3, 4, 5, 7, -2, -3, 100, 1 << 31, i64::MAX, i64::MIN])
    }
}

/// Changes one thing, and says what.
fn mutate(model: &mut ModelProto, random: &mut Random) -> String {
    let graph = model.graph.as_mut().unwrap();
    let node = random.below(graph.node.len());
    let node: &mut NodeProto = &mut graph.node[node];
    let constants = graph.initializer.len();
    match random.below(10) {
        0..=3 if !node.attribute.is_empty() => {
            let at = random.below(node.attribute.len());
            let operator = node.op_type().to_string();
            let attribute: &mut AttributeProto = &mut node.attribute[at];
            match random.below(5) {
                0 => attribute.r#type = Some(1 + random.below(13) as i32),
                1 => attribute.ints.push(random.number()),
                2 => drop(attribute.ints.pop()),
                3 if !attribute.ints.is_empty() => {
                    let at = random.below(attribute.ints.len());
                    attribute.ints[at] = random.number();
                }
                _ => {
                    attribute.i = Some(random.number());
                    attribute.f = Some(random.number() as f32);
                }
            }
            format!("the attribute {} of {}", attribute.name(), operator)
        }
        4 if !node.attribute.is_empty() => {
            let at = random.below(node.attribute.len());
            format!("without the attribute {}", node.attribute.remove(at).name())
        }
        5 => {
            const NAMES: [&str; 12] = [
                "axis",
                "axes",
                "keepdims",
                "pads",
                "strides",
                "dilations",
                "group",
                "ceil_mode",
                "mode",
                "auto_pad",
                "transA",
                "noop_with_empty_axes",
            ];
            let name = random.pick(&NAMES).to_string();
            let number = random.number();
            let attribute = AttributeProto {
                name: Some(name.clone()),
                r#type: Some(if random.below(2) == 0 { 2 } else { 7 }),
                i: Some(number),
                ints: vec![number; random.below(5)],
                ..AttributeProto::default()
            };
            node.attribute.push(attribute);
            format!("the attribute {name} added to {}", node.op_type())
        }
        6 if !node.input.is_empty() => {
            let at = random.below(node.input.len());
            match random.below(3) {
                0 => drop(node.input.remove(at)),
                1 => node.input[at].clear(),
                _ => node.input.swap(0, at),
            }
            format!("operand {at} of {}", node.op_type())
        }
        7 if constants > 0 => {
            let tensor: &mut TensorProto = &mut graph.initializer[random.below(constants)];
            // Numbers of eight bytes are shapes, axes and indices.
            let mut raw = tensor.raw_data.clone().unwrap_or_default().to_vec();
            if tensor.data_type() == 7 && raw.len() >= 8 {
                let at = 8 * random.below(raw.len() / 8);
                raw[at..at + 8].copy_from_slice(&random.number().to_le_bytes());
                tensor.raw_data = Some(raw.into());
            } else {
                tensor.dims.reverse();
            }
            format!("the constant {}", tensor.name())
        }
        8 => {
            let ty = graph.input[0].r#type.as_mut().unwrap().value.as_mut().unwrap();
            let type_proto::Value::TensorType(tensor) = ty else { return "nothing".into() };
            match random.below(3) {
                0 => tensor.elem_type = Some(*random.pick(&[1, 6, 7, 9, 10, 11, 16, 2])),
                1 => tensor.shape = None,
                _ => {
                    let dims = &mut tensor.shape.as_mut().unwrap().dim;
                    if random.below(2) == 0 { drop(dims.pop()) } else { dims.rotate_left(1) }
                }
            }
            "the type of the input".into()
        }
        _ => {
            let names: Vec<_> = operators().into_keys().collect();
            let name = *random.pick(&names);
            format!("{} for {}", name, node.op_type.replace(name.into()).unwrap_or_default())
        }
    }
}

fn loads(bytes: &[u8]) -> Result<(), String> {
    let source = Source::Memory(bytes, Path::new("."));
    Runner::new(&source, false, Device::Cpu, &runtime()).map(drop).map_err(|e| e.to_string())
}

/// A model with one thing changed.
struct Mutant {
    /// What was changed.
    what: String,
    proto: ModelProto,
    level: Level,
}

impl Mutant {
    fn new(form: &Path, seed: u64) -> Self {
        let mut random = Random::new(&stem(form), seed);
        let mut proto = ModelProto::decode(fs::read(form).unwrap().as_slice()).unwrap();
        let what = mutate(&mut proto, &mut random);
        // What the file says of results may be wrong now, which is not what this is about.
        let graph = proto.graph.as_mut().unwrap();
        graph.value_info.clear();
        if let Some(type_proto::Value::TensorType(tensor)) =
            graph.output[0].r#type.as_mut().unwrap().value.as_mut()
        {
            tensor.shape = None;
        }
        Self { what, proto, level: *random.pick(&LEVELS) }
    }

    /// The explained model, or why there is none.
    fn compile(&self) -> Result<Vec<u8>, String> {
        let source = self.proto.encode_to_vec();
        let model = Model::decode(source.into(), "mutant.onnx").map_err(|e| e.to_string())?;
        let options = Options { level: self.level, output: Some("y".into()), ..Options::default() };
        let explanation = explain(&model, &options).map_err(|e| e.to_string())?;
        Ok(explanation.encode().concat())
    }

    /// What is wrong with what becomes of it.
    fn failure(&self) -> Option<String> {
        match catch_unwind(AssertUnwindSafe(|| self.compile())) {
            Err(_) => Some(last_panic()),
            Ok(Err(reason)) => reason.is_empty().then(|| "it is refused without a reason".into()),
            // What ONNX Runtime does not load before, it need not load afterwards.
            Ok(Ok(explained)) => {
                let why = loads(&explained).err()?;
                loads(&self.proto.encode_to_vec()).ok().map(|()| why)
            }
        }
    }
}

/// The seeds of the mutants that are tried.
fn seeds() -> Range<u64> {
    match env::var(ONE) {
        Ok(seed) => {
            let seed = seed.parse().unwrap_or_else(|_| panic!("{ONE}={seed} is no number"));
            seed..seed + 1
        }
        Err(_) => 0..MUTANTS,
    }
}

fn changed_models_are_explained_or_refused(form: &Path) {
    let mut failures = Vec::new();
    for seed in seeds() {
        let mutant = Mutant::new(form, seed);
        if let Some(failure) = mutant.failure() {
            let text = text::model(&mutant.proto, &External::beside(Path::new(".")));
            let alone =
                format!("{ONE}={seed} cargo test --test it mutation::{} -- --exact", stem(form));
            failures.push(format!("{}: {failure}\n{text}Alone: {alone}\n", mutant.what));
        }
    }
    assert!(failures.is_empty(), "{} fail:\n{}", failures.len(), failures.join("\n"));
}

/// What is always refused, or never, would try nothing.
fn many_are_explained_and_many_refused() {
    let mutants =
        models("forms").into_iter().flat_map(|form| [0, 1].map(|seed| Mutant::new(&form, seed)));
    let (explained, refused): (Vec<_>, Vec<_>) =
        mutants.map(|mutant| mutant.compile()).partition(Result::is_ok);
    let (explained, refused) = (explained.len(), refused.len());
    let tenth = (explained + refused) / 10;
    assert!(explained > tenth && refused > tenth, "{explained} are explained, {refused} refused");
}
