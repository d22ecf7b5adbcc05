//! What a model is fed: what is given, and samples that fit it for the rest.
//!
//! A file says little of its open sizes. Those of one name are one size; those that weights and kernels
//! fix are found by asking shape inference, which objects to all others; and what is left is tried, on
//! the source, until ONNX Runtime runs it.

use std::collections::BTreeMap;

use ndarray::ArrayD;

use super::{
    Error, NamedInput,
    session::{Array, Input, Runner, sample, sample_below},
};
use crate::{
    back::EXPLAIN,
    front,
    ir::{Graph, Kind, NodeRef, Value},
    onnx::{
        Model,
        parts::tensors,
        schema::{
            ModelProto, TypeProto,
            tensor_shape_proto::{Dimension, dimension},
            type_proto,
        },
    },
    options::Setting,
};

/// An input and what it is fed.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Feed {
    /// Its name.
    pub name: String,
    /// The type of its elements.
    #[serde(rename = "type")]
    pub elem: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// Whether it was given.
    pub given: bool,
    /// For whole numbers that were not given: what they are below.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub below: Option<usize>,
}

/// The size of a batch, and of other axes: something that pools can halve.
const DEFAULTS: [usize; 2] = [2, 32];
/// Other sizes that networks want, the likely ones first.
const SIZES: [usize; 14] = [224, 64, 16, 8, 4, 1, 128, 256, 299, 384, 512, 640, 3, 2];
/// How many sizes are put to shape inference.
const QUESTIONS: usize = 256;

/// A size that the file leaves open: one that has a name, or one of an input's own.
type Open = (String, usize);

/// What is chosen for open sizes and whole numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Choice {
    sizes: BTreeMap<Open, usize>,
    /// Whether whole numbers are 0 and 1 even where the vocabulary has more.
    small: bool,
}

/// The inputs of a model, and what is known of what fits them.
pub struct Feeds<'m> {
    model: &'m Model,
    given: Vec<(String, Array)>,
    inputs: Vec<Input>,
    /// How many different numbers an input may hold, where they fetch parts of a constant.
    vocabularies: BTreeMap<String, usize>,
}

impl<'m> Feeds<'m> {
    /// Reads what is given for the inputs of a runner; `graph` is that of its model.
    pub fn new(
        model: &'m Model,
        graph: &Graph,
        runner: &Runner,
        given: &[NamedInput],
        set: &[Setting],
    ) -> Result<Self, Error> {
        let (inputs, defaults) = (runner.inputs(), runner.defaults());
        let mut arrays = Vec::new();
        let is_given = |setting: &&Setting| given.iter().any(|given| given.name == setting.name);
        for setting in set.iter().filter(|setting| !is_given(setting)) {
            if let Some(input) = inputs.iter().find(|input| input.name == setting.name) {
                arrays.extend(input.set_to(setting)?.map(|array| (input.name.clone(), array)));
            }
        }
        for NamedInput { name, path } in given {
            if let Some(input) = inputs.iter().chain(&defaults).find(|i| i.name == *name) {
                arrays.push((name.clone(), Array::read_as(path, input.elem)?));
            }
        }
        Ok(Self { model, given: arrays, inputs, vocabularies: vocabularies(graph) })
    }

    /// The first inputs on which the source runs, with what it gives.
    pub fn run(&self, runner: &mut Runner) -> Result<(Chosen, Vec<(String, Array)>), Error> {
        let fitting = self.fitting();
        let mut refusal = None;
        let mut tried: Vec<Choice> = Vec::new();
        for choice in self.choices(&fitting) {
            let first = tried.is_empty();
            if tried.contains(&choice) || !first && !self.fits(&choice.sizes) {
                continue;
            }
            let outcome = self.arrays(&choice).and_then(|arrays| {
                let outputs = runner.run(&arrays)?;
                Ok((Chosen { choice: choice.clone(), arrays }, outputs))
            });
            match outcome {
                Ok(found) => return Ok(found),
                Err(error) => refusal = refusal.or(Some(error)),
            }
            tried.push(choice);
        }
        // There is a first choice, and it was refused.
        Err(refusal.unwrap_or(Error::Run { why: "it has no inputs to try".into() }))
    }

    /// What is given and sampled for a choice.
    fn arrays(&self, choice: &Choice) -> Result<Vec<(String, Array)>, Error> {
        let mut arrays = self.given.clone();
        for (seed, input) in self.missing().enumerate() {
            let shape = shape(input, |open| choice.sizes.get(open).copied());
            let below = self.vocabularies.get(&input.name).filter(|_| !choice.small);
            let array = match below {
                Some(&below) => sample_below(&shape, input.elem, seed as u64, below)?,
                None => sample(&shape, input.elem, seed as u64)?,
            };
            arrays.push((input.name.clone(), array));
        }
        Ok(arrays)
    }

    /// The inputs that nothing is given for.
    fn missing(&self) -> impl Iterator<Item = &Input> {
        self.inputs.iter().filter(|input| self.given.iter().all(|(name, _)| *name != input.name))
    }

    /// Open sizes, in order of appearance, each with the axis where it appears first.
    fn open(&self) -> Vec<(Open, usize)> {
        let mut open: Vec<(Open, usize)> = Vec::new();
        for input in self.missing() {
            for axis in (0..input.shape.len()).filter(|&axis| input.shape[axis].is_none()) {
                let size = size(input, axis);
                if open.iter().all(|(known, _)| *known != size) {
                    open.push((size, axis));
                }
            }
        }
        open
    }

    /// Sizes that shape inference does not object to.
    fn fitting(&self) -> Choice {
        let open = self.open();
        let settled = self.settled();
        let of_default = |(size, axis): &(Open, usize)| {
            let default = DEFAULTS[usize::from(*axis > 0)];
            (size.clone(), settled.get(size).copied().unwrap_or(default))
        };
        let defaults: BTreeMap<_, _> = open.iter().map(of_default).collect();
        let mut choice = Choice { sizes: defaults, small: false };
        if open.is_empty() || self.fits(&choice.sizes) {
            return choice;
        }
        // Each by itself, with the others left open: what objects then is a weight or a kernel.
        let weights = self.sizes_of_weights();
        let mut questions = 0;
        let mut fixed = Vec::new();
        for (size, _) in open.iter().filter(|(size, _)| !settled.contains_key(size)) {
            let default = choice.sizes[size]; // Every open size has one.
            let mut candidates = std::iter::once(default).chain(weights.iter().copied());
            let found = candidates.find(|&n| {
                questions += 1;
                questions <= QUESTIONS && self.fits(&BTreeMap::from([(size.clone(), n)]))
            });
            if let Some(n) = found.filter(|&n| n != default) {
                choice.sizes.insert(size.clone(), n);
                fixed.push(size.clone());
            }
        }
        choice
    }

    /// Choices in the order in which they are tried: what fits by what is known, then other sizes for
    /// what is still free, each for a batch of two and of one.
    fn choices(&self, fitting: &Choice) -> Vec<Choice> {
        let settled = self.settled();
        let is_default = |size: &Open, axis: usize| {
            !settled.contains_key(size) && fitting.sizes[size] == DEFAULTS[usize::from(axis > 0)]
        };
        let free: Vec<_> =
            self.open().into_iter().filter(|(s, axis)| is_default(s, *axis)).collect();
        // A recurrent model is fed a state beside its data, of which only the batch is open.
        let data = self.missing().next().map(|input| size_of_own(input, 0).0);
        let of_state = |(name, _): &Open| name.ends_with(' ') && Some(name) != data.as_ref();
        let mut choices = vec![fitting.clone()];
        let mut push = |batch: usize, other: Option<usize>, small: bool, states: bool| {
            let mut choice = Choice { small, ..fitting.clone() };
            for (size, axis) in &free {
                let is_batch = *axis == 0 || states && of_state(size);
                let n = if is_batch { Some(batch) } else { other };
                choice.sizes.extend(n.map(|n| (size.clone(), n)));
            }
            choices.push(choice);
        };
        for small in [false, true] {
            for batch in [DEFAULTS[0], 1] {
                push(batch, None, small, false);
            }
        }
        // A layer behind a Flatten fixes what only some sizes come to: inference knows which.
        let likely = SIZES.into_iter().chain((5..64).filter(|n| !SIZES.contains(n)));
        for (states, n) in likely.clone().map(|n| (false, n)).chain(likely.map(|n| (true, n))) {
            for batch in [DEFAULTS[0], 1] {
                push(batch, Some(n), false, states);
            }
        }
        choices
    }

    /// Sizes that what is given settles.
    fn settled(&self) -> BTreeMap<Open, usize> {
        let mut sizes = BTreeMap::new();
        for (name, array) in &self.given {
            if let Some(input) = self.inputs.iter().find(|input| input.name == *name) {
                for (axis, &n) in array.shape().iter().enumerate() {
                    sizes.insert(size(input, axis), n);
                }
            }
        }
        sizes
    }

    /// The different sizes of the model's weights.
    fn sizes_of_weights(&self) -> Vec<usize> {
        let mut sizes = Vec::new();
        for n in tensors(self.model.proto()).flat_map(|tensor| &tensor.dims) {
            if let Ok(n) = usize::try_from(*n)
                && !sizes.contains(&n)
            {
                sizes.push(n);
            }
        }
        sizes
    }

    /// Whether nothing in the model contradicts these sizes.
    fn fits(&self, sizes: &BTreeMap<Open, usize>) -> bool {
        let mut model = ModelProto::clone(self.model.proto());
        let Some(graph) = &mut model.graph else { return false };
        // What a file says of other sizes was true of its exporter's.
        graph.value_info.clear();
        graph.output.iter_mut().for_each(|info| info.r#type = None);
        for info in &mut graph.input {
            let Some(input) = self.inputs.iter().find(|input| input.name == info.name()) else {
                continue;
            };
            let Some(TypeProto { value: Some(type_proto::Value::TensorType(tensor)), .. }) =
                &mut info.r#type
            else {
                continue;
            };
            for (axis, dim) in tensor.shape.iter_mut().flat_map(|s| &mut s.dim).enumerate() {
                if let Some(&n) = sizes.get(&size(input, axis)) {
                    let value = Some(dimension::Value::DimValue(n as i64));
                    *dim = Dimension { value, ..Dimension::default() };
                }
            }
        }
        let graph = Model::new(model, self.model.path())
            .ok()
            .and_then(|model| front::import(&model, &crate::ops::REGISTRY).ok());
        graph.is_some_and(|graph| graph.nodes().all(|node| takes_features(graph.node(node))))
    }
}

/// Inputs on which a source runs.
pub struct Chosen {
    choice: Choice,
    /// What each is fed.
    pub arrays: Vec<(String, Array)>,
}

impl Feeds<'_> {
    /// What an explained model is fed: what its source is, and for an input of its own, as many classes
    /// as there are samples.
    pub fn for_explained(
        &self,
        chosen: &Chosen,
        runner: &Runner,
        given: &[NamedInput],
        classes: usize,
    ) -> Result<Vec<(String, Array)>, Error> {
        let (inputs, defaults) = (runner.inputs(), runner.defaults());
        let all = || inputs.iter().chain(&defaults);
        if let Some(stray) = given.iter().find(|g| all().all(|i| i.name != g.name)) {
            let known: Vec<_> = all().map(|i| i.name.clone()).collect();
            return Err(Error::NoInput { name: stray.name.clone(), known: known.join(", ") });
        }
        let mut arrays = chosen.arrays.clone();
        let own = inputs.iter().filter(|i| chosen.arrays.iter().all(|(name, _)| *name != i.name));
        for input in own {
            let array = match given.iter().find(|given| given.name == input.name) {
                Some(given) => Array::read_as(&given.path, input.elem)?,
                // What asks for relevance is to be asked.
                None if input.name == EXPLAIN => Array::Bool(ArrayD::from_elem(Vec::new(), true)),
                None => {
                    let settled = self.settled();
                    let known =
                        |open: &Open| chosen.choice.sizes.get(open).or(settled.get(open)).copied();
                    sample_below(&shape(input, known), input.elem, 0, classes.min(2))?
                }
            };
            arrays.push((input.name.clone(), array));
        }
        Ok(arrays)
    }

    /// The inputs in words.
    pub fn report(&self, arrays: &[(String, Array)], given: &[NamedInput]) -> Vec<Feed> {
        let feed = |(name, array): &(String, Array)| {
            let given = given.iter().any(|given| given.name == *name)
                || self.given.iter().any(|(known, _)| known == name);
            let vocabulary = self.vocabularies.get(name).copied();
            Feed {
                name: name.clone(),
                elem: array.elem().short_name(),
                shape: array.shape().to_vec(),
                given,
                below: vocabulary.filter(|_| !given),
            }
        };
        arrays.iter().map(feed).collect()
    }
}

/// A size of an input: by its name where it has one.
fn size(input: &Input, axis: usize) -> Open {
    match input.symbols.get(axis).filter(|symbol| !symbol.is_empty()) {
        Some(symbol) => (symbol.clone(), 0),
        None => size_of_own(input, axis),
    }
}

/// A size of an input that has no name.
fn size_of_own(input: &Input, axis: usize) -> Open {
    (format!("{} ", input.name), axis)
}

/// The shape of an input, with a default for sizes that nothing is known of.
fn shape(input: &Input, known: impl Fn(&Open) -> Option<usize>) -> Vec<usize> {
    let sizes = input.shape.iter().enumerate();
    let open = |axis| known(&size(input, axis)).unwrap_or(DEFAULTS[usize::from(axis > 0)]);
    sizes.map(|(axis, n)| n.unwrap_or_else(|| open(axis))).collect()
}

/// Layers whose weights fix a size of their input that shape inference can do without: the operator,
/// the axis of the input, counted from the end where it is negative, the operand, its axis, and whether
/// groups multiply it.
const FEATURES: [(&str, i64, usize, usize, bool); 8] = [
    ("Conv", 1, 1, 1, true),
    ("ConvTranspose", 1, 1, 0, false),
    ("BatchNormalization", 1, 1, 0, false),
    ("InstanceNormalization", 1, 1, 0, false),
    ("LayerNormalization", -1, 1, 0, false),
    ("RNN", 2, 1, 2, false),
    ("GRU", 2, 1, 2, false),
    ("LSTM", 2, 1, 2, false),
];

/// Whether a layer gets as many features as its weights are for, as far as both are known.
fn takes_features(node: NodeRef<'_>) -> bool {
    let Some((_, axis, operand, of, grouped)) =
        FEATURES.into_iter().find(|(name, ..)| *name == node.op_type())
    else {
        return true;
    };
    let known = |operand: usize, axis: i64| {
        let ty = node.ty(operand).ok()?;
        let axis = if axis < 0 { axis + ty.rank()? as i64 } else { axis };
        ty.dim(usize::try_from(axis).ok()?)?.known()
    };
    let groups = if grouped { node.int("group", 1).unwrap_or(1) } else { 1 };
    match (known(0, axis), known(operand, of as i64)) {
        (Some(features), Some(weights)) => weights.checked_mul(groups) == Some(features),
        _ => true,
    }
}

/// How many different numbers the inputs may hold that fetch parts of constants.
fn vocabularies(graph: &Graph) -> BTreeMap<String, usize> {
    let mut found: BTreeMap<String, usize> = BTreeMap::new();
    for node in graph.nodes() {
        let Some(size) = vocabulary(graph.node(node)) else { continue };
        let Some(mut value) = graph.node(node).input(1) else { continue };
        while let Some(operand) = moved(graph.node(value.node)) {
            value = operand;
        }
        if graph.graph_inputs().any(|input| input == value) {
            let known = found.entry(graph.name(value).into()).or_insert(size);
            *known = size.min(*known);
        }
    }
    found
}

/// How many parts of a constant a node chooses from, if it is an embedding.
fn vocabulary(node: NodeRef<'_>) -> Option<usize> {
    let is_constant =
        node.op_type() == "Gather" && matches!(node.operator()?.kind(node), Ok(Kind::Embedding));
    let data = node.ty(0).ok().filter(|_| is_constant)?;
    let axis = node.axis("axis", 0, data.rank()?).ok()?;
    data.dim(axis)?.known().and_then(|n| usize::try_from(n).ok()).filter(|&n| n > 0)
}

/// The one activation that a node moves, or scales or shifts by constants.
fn moved(node: NodeRef<'_>) -> Option<Value> {
    let kind = node.operator()?.kind(node).ok()?;
    let moves = matches!(kind, Kind::Movement | Kind::Affine) || node.op_type() == "Cast";
    if !moves || node.active_count() != 1 {
        return None;
    }
    node.inputs().into_iter().flatten().find(|&v| node.graph().is_active(v))
}
