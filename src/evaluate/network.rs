//! A model and its explanation by one rule, run on batches.

use ndarray::{ArrayD, Axis, IxDyn};

use super::{Error, Request, softmax};
use crate::{
    compile,
    onnx::{self, Addition, Model, shown::Shown},
    options::Options,
    verify::session::{Array, Input, Runner, Settings, Source},
};

/// What runs as one sample of a batch.
#[derive(Clone)]
pub(super) struct Row {
    /// The sample whose other inputs go with it.
    pub sample: usize,
    /// The class that is explained.
    pub class: usize,
    /// The explained input.
    pub x: Vec<f64>,
}

/// What is fed beside a row.
pub(super) struct Feeds {
    /// The other inputs, with samples along axis 0.
    pub others: Vec<(String, ArrayD<f64>)>,
    /// The shape of the explained input without the batch.
    pub shape: Vec<usize>,
}

/// What the scores are.
#[derive(Clone, Copy, PartialEq)]
enum Scores {
    Logits,
    Probabilities,
    Logarithms,
}

/// A model that explains itself for the class it is asked for.
pub(super) struct Network {
    runner: Runner,
    /// The explained input.
    pub input: Input,
    /// How many samples run at once, and whether it has to be as many.
    batch: (usize, bool),
    output: String,
    scores: Scores,
}

/// A session for a model that is in memory, with the external data of another.
fn runner(bytes: &[u8], model: &Model, request: &Request) -> Result<Runner, Error> {
    let directory = model.path().parent().unwrap_or(model.path());
    let settings = Settings { optimise: true, device: request.device, ..Settings::default() };
    Ok(Runner::with(&Source::Memory(bytes, directory), &settings, &request.runtime)?)
}

impl Network {
    /// The explanation of a model, ready to run.
    pub fn explained(model: &Model, options: &Options, request: &Request) -> Result<Self, Error> {
        let explanation = compile(model, options)?;
        let summary = explanation.summary();
        let (output, scores) = match &summary.instead_of {
            Some((output, operator)) if operator == "LogSoftmax" => (output, Scores::Logarithms),
            Some((output, _)) => (output, Scores::Probabilities),
            None => (&summary.output, Scores::Logits),
        };
        let (output, [(relevance, _), more @ ..]) = (output.clone(), summary.relevance.as_slice())
        else {
            return Err(Error::Model { what: "no relevance reaches an input".into() });
        };
        let input_of =
            |relevance: &str| relevance.strip_suffix("_relevance").unwrap_or(relevance).to_string();
        let explained = input_of(relevance);
        if let Some((another, _)) = more.first() {
            let another = input_of(another);
            let (a, b) = (Shown(&explained), Shown(&another));
            return Err(Error::Model {
                what: format!(
                    "evaluate takes a model with one explained input, and relevance reaches {a} and {b}"
                ),
            });
        }
        let runner = runner(&explanation.encode().concat(), model, request)?;
        let input = runner.inputs().into_iter().find(|input| input.name == explained);
        let Some(input) = input else {
            return Err(Error::Model {
                what: format!("{} is no input of the model", Shown(&explained)),
            });
        };
        let fixed = input.shape.first().copied().flatten();
        let batch = (fixed.unwrap_or(request.batch).max(1), fixed.is_some());
        Ok(Self { runner, input, batch, output, scores })
    }

    /// The model as it is, for its scores alone.
    pub fn plain(&self, model: &Model, request: &Request) -> Result<Self, Error> {
        let bytes = onnx::encode(model.proto(), &Addition::default()).concat();
        let runner = runner(&bytes, model, request)?;
        Ok(Self { runner, input: self.input.clone(), output: self.output.clone(), ..*self })
    }

    /// What an input is to look like, in words.
    pub fn expected(&self, name: &str) -> String {
        let input = self.runner.inputs().into_iter().find(|input| input.name == name);
        let sizes = input.map(|input| input.shape).unwrap_or_default();
        let sizes = sizes.iter().enumerate().map(|(axis, size)| match size {
            _ if axis == 0 => "samples".to_string(),
            Some(size) => size.to_string(),
            None => "any".to_string(),
        });
        format!("shape [{}]", sizes.collect::<Vec<_>>().join(", "))
    }

    /// Whether the explained input has integers.
    pub fn is_integer(&self) -> bool {
        self.input.elem.as_str_name().contains("INT")
    }

    /// Whether an array can be fed to an input.
    pub fn fits(&self, name: &str, array: &ArrayD<f64>) -> Result<(), Error> {
        let inputs = self.runner.inputs();
        let Some(input) = inputs.iter().find(|input| input.name == name) else {
            let known: Vec<_> =
                inputs.iter().map(|i| i.name.as_str()).filter(|n| *n != "target").collect();
            return Err(Error::Data {
                what: format!(
                    "the model has no input {}; it has {}",
                    Shown(name),
                    Shown(&known.join(", "))
                ),
            });
        };
        let sizes = input.shape.iter().zip(array.shape()).skip(1);
        if input.shape.len() != array.ndim()
            || sizes.into_iter().any(|(n, &m)| n.is_some_and(|n| n != m))
        {
            let expected = self.expected(name);
            return Err(Error::Data {
                what: format!(
                    "{} is expected of {expected}, and came with shape {:?}",
                    Shown(name),
                    array.shape()
                ),
            });
        }
        Ok(())
    }

    /// An input that nothing is known of.
    pub fn missing(&self, others: &[(String, ArrayD<f64>)]) -> Option<String> {
        let names = self.runner.inputs().into_iter().map(|input| input.name);
        names
            .filter(|name| *name != self.input.name && name != "target")
            .find(|name| others.iter().all(|(other, _)| other != name))
    }

    /// The scores of all classes, for each row.
    pub fn scores(&mut self, feeds: &Feeds, rows: &[Row]) -> Result<Vec<Vec<f64>>, Error> {
        let output = self.output.clone();
        self.run(feeds, rows, &output)
    }

    /// The maps, for each row.
    pub fn maps(&mut self, feeds: &Feeds, rows: &[Row]) -> Result<Vec<Vec<f64>>, Error> {
        let relevance = format!("{}_relevance", self.input.name);
        self.run(feeds, rows, &relevance)
    }

    /// The probability of a class.
    pub fn probability(&self, scores: &[f64], class: usize) -> f64 {
        let score = scores.get(class).copied().unwrap_or(f64::NAN);
        match (self.scores, scores) {
            (Scores::Probabilities, _) => score,
            (Scores::Logarithms, _) => score.exp(),
            (Scores::Logits, [only]) => 1.0 / (1.0 + (-only).exp()),
            (Scores::Logits, _) => softmax(scores).get(class).copied().unwrap_or(f64::NAN),
        }
    }

    /// An output, row by row.
    fn run(&mut self, feeds: &Feeds, rows: &[Row], output: &str) -> Result<Vec<Vec<f64>>, Error> {
        let (batch, fixed) = self.batch;
        let inputs = self.runner.inputs();
        let elem =
            |name: &str| inputs.iter().find(|i| i.name == name).map_or(self.input.elem, |i| i.elem);
        let mut found = Vec::new();
        for rows in rows.chunks(batch) {
            // A batch of fixed size is filled up with its last row.
            let count = if fixed { batch } else { rows.len() };
            let filled: Vec<_> =
                rows.iter().chain(rows.last().into_iter().cycle()).take(count).collect();
            let places: Vec<_> = filled.iter().map(|row| row.sample).collect();
            let mut fed = vec![];
            for (name, array) in &feeds.others {
                fed.push((
                    name.clone(),
                    Array::of_numbers(&array.select(Axis(0), &places), elem(name))?,
                ));
            }
            let x: Vec<f64> = filled.iter().flat_map(|row| row.x.iter().copied()).collect();
            let shape: Vec<_> = std::iter::once(count).chain(feeds.shape.iter().copied()).collect();
            let x = ArrayD::from_shape_vec(IxDyn(&shape), x)
                .map_err(|e| Error::Data { what: format!("{}: {e}", Shown(&self.input.name)) })?;
            fed.push((self.input.name.clone(), Array::of_numbers(&x, self.input.elem)?));
            let classes = filled.iter().map(|row| row.class as i64).collect();
            fed.push((
                "target".into(),
                Array::Int64(ArrayD::from_shape_vec(IxDyn(&[count]), classes).unwrap_or_default()),
            ));
            let outputs = self.runner.run(&fed)?;
            let Some((_, values)) = outputs.iter().find(|(name, _)| name == output) else {
                return Err(Error::Model {
                    what: format!(
                        "{} is no output of the model, so its scores cannot be followed; choose one with --output",
                        Shown(output)
                    ),
                });
            };
            let values = values.numbers();
            if values.shape().first() != Some(&count) {
                return Err(Error::Model {
                    what: format!(
                        "{} has shape {:?} for {count} samples, which are expected along its first axis",
                        Shown(output),
                        values.shape()
                    ),
                });
            }
            found.extend(
                values
                    .outer_iter()
                    .take(rows.len())
                    .map(|row| row.iter().copied().collect::<Vec<_>>()),
            );
        }
        Ok(found)
    }
}
