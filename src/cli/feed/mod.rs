//! What models are fed: data of each kind, as their inputs take it, and what is remembered of it to be shown.

pub mod image;
#[cfg(not(feature = "parquet"))]
#[path = "no_parquet.rs"]
mod parquet;
#[cfg(feature = "parquet")]
mod parquet;
mod resample;
pub mod sound;
pub mod table;
pub mod text;
#[cfg(feature = "text")]
mod tokenizer;
#[cfg(not(feature = "text"))]
#[path = "no_tokenizer.rs"]
mod tokenizer;

#[cfg(any(feature = "parquet", feature = "text"))]
use std::panic::{self, AssertUnwindSafe};
#[cfg(feature = "text")]
use std::path::PathBuf;

use abslrp::{
    Options,
    onnx::{DataType, Model, shown::Shown},
    options::Target,
    verify::{
        self,
        session::{Array, Input, NamedInput, Runner},
    },
};
use ndarray::{ArrayD, Axis, IxDyn};

/// What an explained model may be asked by inputs that its source has not.
const ASKED: [&str; 2] = ["target", "explain"];

/// Why data are not what a model takes.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file of a kind that cannot be told.
    #[error("{0}")]
    Other(String),
    /// Running, or reading `.npy`.
    #[error(transparent)]
    Verify(#[from] verify::Error),
    /// Inputs that are still empty.
    #[error(
        "nothing is given for the input {}; give it with --input NAME=FILE.npy, or compile the model with --set",
        of(inputs)
    )]
    NotFed { inputs: Vec<Input> },
    /// No input for such data.
    #[error("the model has no input for {what}; it has {}", of(inputs))]
    NoInput { what: &'static str, inputs: Vec<Input> },
    /// Several inputs for such data.
    #[error(
        "{what} could go into each of {}; give all but one with --input NAME=FILE.npy",
        of(inputs)
    )]
    ManyInputs { what: &'static str, inputs: Vec<Input> },
    /// Another shape.
    #[error("the input {} takes {}, and {what} came with {came:?}", Shown(&input.name), sizes(&input.shape))]
    Shape { input: Input, what: &'static str, came: Vec<usize> },
    /// More than one sample, or none.
    #[error("{what} came with {came:?}, and one text is explained at a time: [1, …]")]
    NotOne { what: &'static str, came: Vec<usize> },
    /// A tokenizer that is none.
    #[cfg(feature = "text")]
    #[error("{}: no tokenizer.json that can be read: {why}", path.display())]
    Tokenizer { path: PathBuf, why: String },
    /// A text that a tokenizer refuses.
    #[cfg(feature = "text")]
    #[error("{}: does not take this text: {why}", path.display())]
    Encode { path: PathBuf, why: String },
    /// A text of nothing.
    #[error("the text has no tokens")]
    NoTokens,
    /// More tokens than fit.
    #[error(
        "the text has {came} tokens, and the input {} takes {expected}; shorten it, or export the model with an open length",
        Shown(input)
    )]
    TooLong { input: String, expected: usize, came: usize },
    /// A token of another tokenizer.
    #[error(
        "the token {} has the id {id}, and the model knows those below {size}: this is the tokenizer of another model",
        Shown(token)
    )]
    Vocabulary { token: String, id: i64, size: i64 },
    /// A token that is not there.
    #[error("there is no token {token}; the text has {}", Shown(tokens))]
    NoToken { token: i64, tokens: String },
    /// A model without scores of tokens.
    #[error(
        "the model scores the whole text, and no tokens: there is none to choose with --target-token"
    )]
    WholeText,
    /// A model that cannot be asked for a token.
    #[error(
        "{why}, so that no token can be chosen when it runs; for one that is chosen then, compile it with --target input \
         --class-axis 1 (and --select ':,:,CLASS' for one class), or for token {token} alone with --select ':,{token}'"
    )]
    FixedTarget { why: String, token: i64 },
    /// A model that gives no relevance of what is shown.
    #[error("there is no output {}: explain it first with `abslrp compile`", Shown(output))]
    NoMap { output: String },
    /// A class that has no number.
    #[error("there is no class {}: it is none of {known} names, and no number", Shown(class))]
    NoClass { class: String, known: usize },
    /// A model that cannot be asked for classes, or for as many.
    #[error(
        "the model was compiled with --target {target} and is asked for {count} classes, and {came} came; one that is \
         asked for a class is compiled with --target input"
    )]
    NotAsked { target: String, count: usize, came: usize },
    /// Names of other classes.
    #[error("--labels has {names} names, and the output {} has {scores} scores", Shown(output))]
    Labels { names: usize, output: String, scores: usize },
    /// An option of another kind of data.
    #[error("{option} is for images")]
    ImagesOnly { option: &'static str },
    /// A tokenizer for no text.
    #[error("--tokenizer is for texts, in a .txt file, with --text, or as .npy of token ids")]
    NotText,
    /// A recording that is none.
    #[error("no WAV file that can be read: {why}")]
    Wav { why: String },
    /// Channels that a model has not.
    #[error(
        "the input {} takes {expected} channels, and {came} came{}",
        Shown(input),
        if *expected == 1 { "; --mono takes their mean" } else { "" }
    )]
    Channels { input: String, expected: usize, came: usize },
    /// A recording that is too long or too short.
    #[error(
        "the input {} takes {expected} samples, and {came} came; cut the recording or fill it up to that, or export the model with \
         an open length",
        Shown(input)
    )]
    Length { input: String, expected: usize, came: usize },
    /// Names of something else.
    #[error("--features has {names} names, and there are {count} {what}")]
    Names { names: usize, what: &'static str, count: usize },
    /// A table without rows.
    #[error("the table has no rows")]
    NoRows,
    /// A row that is not there.
    #[error("there is no row {row}: there are {count}, counted from 0")]
    NoRow { row: usize, count: usize },
    /// Columns that are not there.
    #[error("the table has no column {}; it has {}", Shown(missing), Shown(known))]
    NoColumns { missing: String, known: String },
    /// More columns than features, or fewer.
    #[error(
        "the input {} takes {expected} features, and the table has {came} columns{}; name the features with --features, or a column \
         that is none with --label-column",
        Shown(input),
        Shown(columns)
    )]
    Features { input: String, expected: usize, came: usize, columns: String },
    /// An input that is neither all features nor one.
    #[error(
        "the input {} takes several numbers per row beside inputs for other columns; give it with --input NAME=FILE.npy",
        Shown(input)
    )]
    WideInput { input: String },
    /// A batch of a fixed size.
    #[error(
        "the model takes {size} rows at a time, neither one nor any number; export it with an open batch"
    )]
    Batch { size: usize },
    /// A cell that is not what the model takes.
    #[error(
        "row {row} (counted from 0), column {}: {expected} was expected, and '{}' came",
        Shown(column),
        Shown(came)
    )]
    Cell { row: usize, column: String, expected: &'static str, came: String },
    /// Something that is not drawn so.
    #[error("{0}")]
    Drawing(&'static str),
    /// A build without Parquet.
    #[cfg(not(feature = "parquet"))]
    #[error("this abslrp was built without the feature `parquet`; write the table as .csv")]
    NoParquet,
    /// A build without tokenizers.
    #[error("this abslrp was built without the feature `text`; give token ids as .npy")]
    #[cfg(not(feature = "text"))]
    NoText,
}

/// Whether an input is of floats.
pub fn is_float(input: &Input) -> bool {
    is_float_type(input.elem)
}

/// Whether numbers of a type may be fractions.
pub fn is_float_type(elem: DataType) -> bool {
    use DataType as T;
    matches!(elem, T::Float | T::Double | T::Float16 | T::Bfloat16)
}

/// How many classes a model is asked for, per sample.
pub fn asked_for(target: &Target) -> usize {
    match target {
        Target::Input => 1,
        Target::Inputs(count) => *count,
        _ => 0,
    }
}

/// What another crate makes of a file, or nothing where it panics, as some do at damaged ones.
#[cfg(any(feature = "parquet", feature = "text"))]
fn caught<T>(read: impl FnOnce() -> T) -> Option<T> {
    let hook = panic::take_hook();
    // The error says it.
    panic::set_hook(Box::new(|_| {}));
    let made = panic::catch_unwind(AssertUnwindSafe(read)).ok();
    panic::set_hook(hook);
    made
}

/// Inputs in words.
fn of(inputs: &[Input]) -> String {
    let input = |input: &Input| {
        let elem = input.elem.short_name();
        format!("{} ({elem}, {})", Shown(&input.name), sizes(&input.shape))
    };
    inputs.iter().map(input).collect::<Vec<_>>().join(", ")
}

/// A shape with open sizes.
pub fn sizes(shape: &[Option<usize>]) -> String {
    let sizes: Vec<_> = shape.iter().map(|n| n.map_or("?".into(), |n| n.to_string())).collect();
    format!("[{}]", sizes.join(", "))
}

/// The inputs of an explained model's source on the way to being fed.
pub struct Feeds<'m> {
    /// The explained model.
    pub model: &'m Model,
    /// Those that nothing is known for yet.
    pub open: Vec<Input>,
    /// What is the same for all samples.
    arrays: Vec<(String, Array)>,
    /// What is not: how many samples run at once, and what they are. One sample has none.
    batches: Vec<(usize, Vec<(String, Array)>)>,
}

impl<'m> Feeds<'m> {
    /// The inputs, with what was given for some and what others were set to when the model was compiled.
    pub fn new(
        model: &'m Model,
        runner: &Runner,
        options: &Options,
        given: &[NamedInput],
    ) -> Result<Self, Error> {
        let inputs = runner.inputs();
        let own = || inputs.iter().filter(|input| !ASKED.contains(&input.name.as_str()));
        let open = own().cloned().collect();
        let mut feeds = Self { model, open, arrays: Vec::new(), batches: Vec::new() };
        for NamedInput { name, path } in given {
            let Some(input) = own().find(|input| input.name == *name) else {
                let known: Vec<_> = own().map(|input| input.name.clone()).collect();
                let known = known.join(", ");
                return Err(verify::Error::NoInput { name: name.clone(), known }.into());
            };
            feeds.feed(&input.name, Array::read_as(path, input.elem)?);
        }
        for setting in &options.set {
            let open = feeds.open.iter().find(|input| input.name == setting.name).cloned();
            if let Some(input) = open
                && let Some(array) = input.set_to(setting)?
            {
                feeds.feed(&input.name, array);
            }
        }
        Ok(feeds)
    }

    /// Feeds an input.
    pub fn feed(&mut self, name: &str, array: Array) {
        self.open.retain(|input| input.name != name);
        self.arrays.push((name.into(), array));
    }

    /// Feeds samples that run at once, after those before.
    pub fn feed_batch(&mut self, samples: usize, arrays: Vec<(String, Array)>) {
        self.open.retain(|input| arrays.iter().all(|(name, _)| *name != input.name));
        self.batches.push((samples, arrays));
    }

    /// How many samples there are.
    pub fn samples(&self) -> usize {
        if self.batches.is_empty() {
            1
        } else {
            self.batches.iter().map(|(samples, _)| samples).sum()
        }
    }

    /// Feeds an input numbers, in its type.
    pub fn feed_numbers(&mut self, input: &Input, numbers: &ArrayD<f64>) -> Result<(), Error> {
        self.feed(&input.name, Array::of_numbers(numbers, input.elem)?);
        Ok(())
    }

    /// The one input that is fit for something, which is `what` in messages.
    pub fn only(&self, what: &'static str, fit: impl Fn(&Input) -> bool) -> Result<Input, Error> {
        let fitting: Vec<_> = self.open.iter().filter(|input| fit(input)).cloned().collect();
        match fitting.as_slice() {
            [input] => Ok(input.clone()),
            [] => Err(Error::NoInput { what, inputs: self.open.clone() }),
            _ => Err(Error::ManyInputs { what, inputs: fitting }),
        }
    }

    /// Runs the explained model, asked for these classes of each sample. Gives the outputs of all samples.
    pub fn run(
        &self,
        runner: &mut Runner,
        target: &Target,
        classes: &[Vec<i64>],
    ) -> Result<Vec<(String, Array)>, Error> {
        if !self.open.is_empty() {
            return Err(Error::NotFed { inputs: self.open.clone() });
        }
        let one = [(1, Vec::new())];
        let batches = if self.batches.is_empty() { &one[..] } else { &self.batches[..] };
        let mut parts = Vec::new();
        let mut first = 0;
        for (samples, arrays) in batches {
            let shape = match target {
                Target::Inputs(count) => vec![*samples, *count],
                _ => vec![*samples],
            };
            let asked = ArrayD::from_shape_fn(IxDyn(&shape), |at| {
                let place = if shape.len() > 1 { at[1] } else { 0 };
                let classes = classes.get(first + at[0]);
                classes.and_then(|classes| classes.get(place)).copied().unwrap_or(0)
            });
            let asked: [(String, Array); 2] = [
                ("target".into(), Array::Int64(asked)),
                ("explain".into(), Array::Bool(ArrayD::from_elem(IxDyn(&[]), true))),
            ];
            let fed: Vec<_> = self.arrays.iter().chain(arrays).cloned().chain(asked).collect();
            parts.push(runner.run(&fed)?);
            first += samples;
        }
        Ok(joined(parts))
    }
}

/// The outputs of batches as those of all samples; what has no axis of samples is left out.
fn joined(mut parts: Vec<Vec<(String, Array)>>) -> Vec<(String, Array)> {
    if parts.len() < 2 {
        return parts.pop().unwrap_or_default();
    }
    let names: Vec<_> = parts
        .first()
        .into_iter()
        .flatten()
        .map(|(name, array)| (name.clone(), array.elem()))
        .collect();
    let join = |(name, elem): (String, DataType)| {
        let of = |part: &Vec<(String, Array)>| {
            part.iter().find(|(other, _)| *other == name).map(|(_, array)| array.numbers())
        };
        let arrays: Vec<_> = parts.iter().filter_map(of).collect();
        let views: Vec<_> = arrays.iter().map(|array| array.view()).collect();
        let whole = ndarray::concatenate(Axis(0), &views).ok()?;
        Some((name.clone(), Array::of_numbers(&whole, elem).ok()?))
    };
    names.into_iter().filter_map(join).collect()
}
