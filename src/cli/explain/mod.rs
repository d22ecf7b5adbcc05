//! `abslrp explain`

mod view;

use std::{
    fmt::Write,
    io::{BufWriter, Write as _},
    path::{Path, PathBuf},
};

use abslrp::{
    Options, Record,
    onnx::{
        self, Model, Transaction,
        shown::{Escaped, Shown},
    },
    options::Target,
    verify::{
        runtime::Locate,
        session::{Array, Device, NamedInput, Runner, Source},
    },
};
use image::ImageFormat;
use ndarray::{ArrayD, Axis};
use serde_json::json;

use self::view::{Drawing, Sample, sum};
use super::{
    Failure, Report,
    feed::{
        Error, Feeds, asked_for,
        image::Preparation,
        is_float_type,
        sound::{self, Fed},
        table, text,
    },
    labels::Labels,
    prediction::Prediction,
    verify::Runtime,
};
use crate::show::{html, number};

/// Runs an explained model on an image, a text, a recording or a table and shows what counted
#[derive(clap::Args)]
pub struct Args {
    /// The explained model
    explained: PathBuf,
    /// What is explained: an image (PNG, JPEG), a text (.txt), a recording (.wav), a table (.csv, .parquet), or .npy with what the
    /// model is fed
    #[arg(value_name = "INPUT", required_unless_present = "text")]
    data: Option<PathBuf>,
    /// What to write: .html; .png for images and recordings; .svg for recordings and tables; or .npy with the relevance alone,
    /// which is written beside the others, too [default: for an image, INPUT with `.relevance.png`; else the terminal]
    #[arg(short, long, value_name = "OUT")]
    out: Option<PathBuf>,
    #[command(flatten)]
    text: text::Given,
    #[command(flatten)]
    sound: sound::Given,
    #[command(flatten)]
    table: table::Given,
    #[command(flatten)]
    preparation: Preparation,
    #[command(flatten)]
    drawing: Drawing,
    /// Another explained model, whose map is drawn beside this one's; may be repeated
    #[arg(long, value_name = "EXPLAINED")]
    beside: Vec<PathBuf>,
    /// The class, by number or name, for a model compiled with `--target input`; for `input:K`, K of them with commas
    /// between [default: those with the largest scores]
    #[arg(long, value_name = "CLASS", value_delimiter = ',')]
    target: Vec<String>,
    /// What classes are called: a file with a name on each line, or JSON such as Hugging Face's config.json [default: the
    /// metadata labels, names, classes or id2label]
    #[arg(long, value_name = "FILE")]
    labels: Option<PathBuf>,
    /// What another input is fed; may be repeated
    #[arg(long = "input", value_name = "NAME=FILE.npy")]
    given: Vec<NamedInput>,
    #[command(flatten)]
    runtime: Runtime,
    /// Write the summary as JSON
    #[arg(long)]
    json: bool,
}

/// An explained model that has run.
struct Ran {
    /// The model's file.
    path: PathBuf,
    /// How it is explained, and which tensor.
    options: Options,
    explained: String,
    sample: Sample,
    /// What is predicted for each sample.
    predictions: Vec<Vec<Prediction>>,
    /// The classes that are explained of the first sample, where they are known.
    classes: Vec<i64>,
    /// All relevance, as the model gives it.
    relevance: Array,
    /// What each map is for, and its relevance.
    maps: Vec<(String, ArrayD<f64>)>,
}

impl Args {
    pub fn run(self) -> Result<Report, Failure> {
        let paths: Vec<_> = std::iter::once(&self.explained).chain(&self.beside).collect();
        let models = paths.iter().map(Model::open).collect::<Result<Vec<_>, _>>()?;
        let mut transaction = Transaction::default();
        let given = self.given.iter().map(|given| &given.path);
        let read = self.data.iter().chain(&self.labels).chain(&self.text.tokenizer);
        let read = read.chain(&self.table.features).chain(given);
        read.for_each(|path| transaction.protect(path));
        models.iter().flat_map(|model| model.files()).for_each(|path| transaction.protect(&path));
        let check = |out: &Path| {
            transaction.check(out).and_then(|()| transaction.check(&out.with_extension("npy")))
        };
        self.out.as_deref().map_or(Ok(()), check)?;
        let how = Locate::from(self.runtime.clone());
        let ran = models.iter().zip(paths).map(|(model, path)| self.ran(model, path, &how));
        let ran = ran.collect::<Result<Vec<_>, _>>()?;
        let Some(first) = ran.first() else { return Err(self.refused(Error::NoRows)) };

        let beside = self.data.as_ref().map(|path| path.with_extension("relevance.png"));
        let beside = beside.filter(|_| matches!(first.sample, Sample::Image(_)));
        let out = self.out.clone().or(beside);
        let npy = out.as_ref().map(|out| out.with_extension("npy"));
        if let Some(npy) = &npy {
            first.relevance.write_to(transaction.create(npy)?, npy)?;
        }
        if let Some(out) = out.as_ref().filter(|out| Some(*out) != npy.as_ref()) {
            self.write(&ran, out, &mut transaction)?;
        }
        transaction.commit()?;
        self.report(&ran, out.as_deref(), npy.as_deref())
    }

    /// Why the data are refused.
    fn refused(&self, source: impl Into<Error>) -> Failure {
        let path = self.data.clone().unwrap_or_else(|| self.explained.clone());
        Failure::Feed { path, source: Box::new(source.into()) }
    }

    /// Runs an explained model on the data.
    fn ran(&self, model: &Model, path: &Path, how: &Locate) -> Result<Ran, Failure> {
        let refused = |error: Error| match error {
            Error::Verify(error) => error.into(),
            // What is missing is the model's.
            Error::NoInput { .. }
            | Error::ManyInputs { .. }
            | Error::NotFed { .. }
            | Error::Batch { .. }
            | Error::NoMap { .. } => Failure::Feed { path: path.into(), source: Box::new(error) },
            error => self.refused(error),
        };
        let mut runner = Runner::new(&Source::File(path), true, Device::Cpu, how)?;
        let record = Record::read(model);
        let options = record.as_ref().and_then(|record| record.options().ok()).unwrap_or_default();
        let labels = match &self.labels {
            Some(path) => Labels::read(path)?,
            None => Labels::of(model),
        };
        let mut feeds = Feeds::new(model, &runner, &options, &self.given).map_err(refused)?;
        let names = self.table.names(&feeds)?;
        let (sample, input) = self.sample(&mut feeds, &names).map_err(refused)?;
        let text = match &sample {
            Sample::Text(text) => Some(&**text),
            _ => None,
        };
        let asked = self.asked(&sample, model, &options, &labels).map_err(refused)?;
        let graph = model.graph();
        let added = record.map_or(0, |record| record.added[3]);
        let own = graph.output.len().saturating_sub(added);
        let own: Vec<_> = graph.output.iter().take(own).map(|output| output.name()).collect();
        // The scores of all samples are the first floats among the source's own outputs.
        let scores = |outputs: &[(String, Array)]| {
            let is_scores = |(name, array): &&(String, Array)| {
                own.contains(&name.as_str()) && is_float_type(array.elem())
            };
            outputs.iter().find(is_scores).map(|(name, array)| (name.clone(), array.numbers()))
        };
        let mut run = |classes: &[Vec<i64>]| {
            feeds.run(&mut runner, &options.target, classes).map_err(refused)
        };
        let samples = feeds.samples();
        let mut classes = vec![asked.clone().unwrap_or_default(); samples];
        let mut outputs = run(&classes)?;
        let count = asked_for(&options.target);
        let ranked = ranked(scores(&outputs).as_ref().map(|(_, scores)| scores), samples);
        if asked.is_none() {
            let best = |count: usize| {
                let best = |order: &Vec<i64>| order.iter().copied().take(count).collect::<Vec<_>>();
                ranked.iter().map(best).collect::<Vec<_>>()
            };
            match &options.target {
                Target::Input | Target::Inputs(_) => {
                    classes = best(count);
                    // Without such scores it is asked for the first class, and was.
                    for classes in &mut classes {
                        classes.resize(count, 0);
                    }
                    outputs = run(&classes)?;
                }
                Target::Index(class) => classes = vec![vec![*class]; samples],
                Target::Indices(indices) => classes = vec![indices.clone(); samples],
                Target::Argmax if options.select.is_none() => classes = best(1),
                _ => {}
            }
        }
        let scores = scores(&outputs);
        if let (Some((output, scores)), Some(_)) = (&scores, &self.labels) {
            check_labels(&labels, output, scores, text.map(text::Text::length)).map_err(refused)?;
        }
        let predictions = (0..samples).map(|i| match &scores {
            Some((output, scores)) if samples > 1 && scores.shape().first() == Some(&samples) => {
                let own = scores.index_axis(Axis(0), i).insert_axis(Axis(0)).to_owned();
                Prediction::of(output, &own, &labels, text)
            }
            Some((output, scores)) => Prediction::of(output, scores, &labels, text),
            None => Vec::new(),
        });
        let predictions = predictions.collect();

        let no_map = |input: &str| refused(Error::NoMap { output: format!("{input}_relevance") });
        let relevance = match &sample {
            Sample::Table(table) => {
                let whole = table.relevance(&outputs, options.target.maps());
                Array::Float32(whole.ok_or_else(|| no_map(&input))?.mapv(|r| r as f32))
            }
            _ => {
                let wanted = format!("{input}_relevance");
                let found = outputs.into_iter().find(|(output, _)| *output == wanted);
                found.ok_or_else(|| no_map(&input))?.1
            }
        };
        let name = |class: &i64| match (text, self.text.chooses_token()) {
            (Some(text), true) => format!("token {}", text.token(*class)),
            _ => labels.name(usize::try_from(*class).unwrap_or(usize::MAX)),
        };
        // What is explained in a place of the classes, if it is the same in all samples.
        let about = |place: usize| {
            let of = |classes: &Vec<i64>| classes.get(place).copied();
            let first = classes.first().and_then(of)?;
            let same = classes.iter().all(|classes| of(classes) == Some(first));
            Some(if same { name(&first) } else { "the largest score of each row".into() })
        };
        let numbers = relevance.numbers();
        let maps = match (options.target.maps(), &options.target) {
            // They lie side by side on axis 1.
            (Some(count), _) if numbers.ndim() > 1 && numbers.shape()[1] == count => {
                let maps = numbers.axis_iter(Axis(1)).map(|map| map.to_owned());
                let names = (0..count).map(|i| about(i).unwrap_or_else(|| format!("map {i}")));
                names.zip(maps).collect()
            }
            (_, Target::All) => vec![("all classes".into(), numbers)],
            (_, Target::Max) => vec![("the largest element".into(), numbers)],
            _ => vec![(about(0).unwrap_or_else(|| "the largest score".into()), numbers)],
        };
        let classes = classes.into_iter().next().unwrap_or_default();
        let explained = model.metadata("abslrp.output").unwrap_or_default().into();
        let path = path.to_path_buf();
        Ok(Ran { path, options, explained, sample, predictions, classes, relevance, maps })
    }

    /// Feeds the data. Gives the input whose relevance is shown; of a table with several, what they are.
    fn sample(&self, feeds: &mut Feeds<'_>, names: &[String]) -> Result<(Sample, String), Error> {
        let kind = self.kind(feeds);
        if kind != Kind::Text && self.text.is_given() {
            return Err(Error::NotText);
        }
        if kind != Kind::Image
            && let Some(option) = self.drawing.of_images()
        {
            return Err(Error::ImagesOnly { option });
        }
        // Only a text may come without a file.
        let path = self.data.as_deref();
        Ok(match (kind, path) {
            (Kind::Text, _) | (_, None) => {
                let (text, input) = self.text.feed(feeds, path)?;
                (Sample::Text(Box::new(text)), input)
            }
            (Kind::Image, Some(path)) => {
                let (image, input) = self.preparation.feed(feeds, path)?;
                (Sample::Image(image), input)
            }
            (Kind::Sound, Some(path)) => match self.sound.feed(feeds, path, names)? {
                (Fed::Sound(sound), input) => (Sample::Sound(sound), input),
                (Fed::Image(image), input) => (Sample::Image(image), input),
            },
            (Kind::Table, Some(path)) => {
                let table = self.table.feed(feeds, path, names)?;
                let input = table.inputs().join(", ");
                (Sample::Table(table), input)
            }
        })
    }

    /// What kind the data are: their extension tells, and of arrays the inputs that are open.
    fn kind(&self, feeds: &Feeds<'_>) -> Kind {
        /// Features that are looked at one by one; more are a series.
        const FEW: usize = 64;
        let extension = self.data.as_deref().and_then(Path::extension).and_then(|e| e.to_str());
        let extension = extension.map(str::to_lowercase);
        let axes = |wanted: usize| feeds.open.iter().any(|input| input.shape.len() == wanted);
        match extension.as_deref() {
            None if self.data.is_none() => Kind::Text,
            Some("txt") => Kind::Text,
            Some("wav") => Kind::Sound,
            Some("csv" | "parquet") => Kind::Table,
            Some("npy") if self.text.is_given() || feeds.open.iter().any(text::is_ids) => {
                Kind::Text
            }
            Some("npy") if feeds.open.iter().any(text::is_embedding) => Kind::Text,
            Some("npy") if axes(4) || !feeds.open.iter().any(sound::is_series) => Kind::Image,
            Some("npy") if axes(3) => Kind::Sound,
            Some("npy") => {
                let shape = self.data.as_deref().and_then(|path| Array::read(path).ok());
                let wide =
                    shape.is_some_and(|array| array.shape().last().is_some_and(|n| *n > FEW));
                if wide && self.table.features.is_none() { Kind::Sound } else { Kind::Table }
            }
            _ => Kind::Image,
        }
    }

    /// The classes that the model is asked for, if any are.
    fn asked(
        &self,
        sample: &Sample,
        model: &Model,
        options: &Options,
        labels: &Labels,
    ) -> Result<Option<Vec<i64>>, Error> {
        if let Sample::Text(text) = sample
            && let Some(token) = self.text.target(text, model, options)?
        {
            return Ok(Some(vec![token]));
        }
        if self.target.is_empty() {
            return Ok(None);
        }
        let class = |text: &String| {
            labels
                .class(text)
                .ok_or_else(|| Error::NoClass { class: text.clone(), known: labels.len() })
        };
        let classes: Vec<_> = self.target.iter().map(class).collect::<Result<_, _>>()?;
        let count = asked_for(&options.target);
        if classes.len() != count {
            let target = options.target.to_string();
            return Err(Error::NotAsked { target, count, came: classes.len() });
        }
        Ok(Some(classes))
    }

    /// Writes what the maps look like.
    fn write(&self, ran: &[Ran], out: &Path, transaction: &mut Transaction) -> Result<(), Failure> {
        let io = |error| Failure::from(onnx::Error::io(out)(error));
        let bad = |what: String| Failure::Image { path: out.into(), what };
        let drawing = |error: Error| match error {
            Error::Drawing(what) => bad(format!("{what}; name such a file")),
            error => self.refused(error),
        };
        match out.extension().and_then(|e| e.to_str()) {
            Some("html") => {
                let document = self.document(ran)?;
                return transaction.create(out)?.write_all(document.as_bytes()).map_err(io);
            }
            Some("svg") => {
                let [Ran { sample, predictions, maps, .. }] = ran else {
                    return Err(drawing(Error::Drawing("several models are drawn in one .html")));
                };
                let [(_, relevance)] = maps.as_slice() else {
                    return Err(drawing(Error::Drawing("several maps are drawn in one .html")));
                };
                let view = sample.view(relevance, predictions, &self.drawing).map_err(drawing)?;
                let svg = view
                    .svg
                    .ok_or(Error::Drawing("an image is drawn as .png or .html, a text as .html"));
                let svg = svg.map_err(drawing)?;
                return transaction.create(out)?.write_all(svg.as_bytes()).map_err(io);
            }
            _ => {}
        }
        let format = ImageFormat::from_path(out).map_err(|e| bad(e.to_string()))?;
        let maps: Vec<_> = ran.iter().flat_map(|ran| ran.maps.iter().map(|(_, map)| map)).collect();
        // Models beside the first are fed the same.
        let Some(Ran { sample, .. }) = ran.first() else { return Ok(()) };
        let picture = sample.picture(&maps, &self.drawing).map_err(drawing)?;
        // The encoder of pictures goes back and forth.
        let mut file = BufWriter::new(transaction.create(out)?);
        picture.write_to(&mut file, format).map_err(|e| bad(e.to_string()))?;
        file.flush().map_err(io)
    }

    /// All that was found, as one document.
    fn document(&self, ran: &[Ran]) -> Result<String, Failure> {
        let mut body = String::new();
        for ran in ran {
            let input =
                self.data.as_ref().map_or("a text".into(), |path| path.display().to_string());
            let mut facts = vec![
                ("Model", ran.path.display().to_string()),
                ("Input", input),
                ("Explained tensor", ran.explained.clone()),
                ("Rule", ran.options.rule_text()),
                ("Target", ran.options.target.to_string()),
            ];
            facts.extend(view::note(&ran.sample).map(|note| ("Note", note)));
            body += &html::section("What is explained", &html::facts(&facts));
            if let [predictions] = ran.predictions.as_slice()
                && !predictions.is_empty()
            {
                let all: String = predictions.iter().map(|p| p.html(&ran.classes)).collect();
                body += &html::section("What the model says", &all);
            }
            for (about, relevance) in &ran.maps {
                let view = ran.sample.view(relevance, &ran.predictions, &self.drawing);
                let view = view.map_err(|e| self.refused(e))?;
                let sum = format!("<p class=\"quiet\">Σ R = {}</p>\n", sum(relevance));
                body += &html::section(&format!("Relevance for {about}"), &(view.html + &sum));
            }
        }
        let name = self.explained.file_stem().unwrap_or_default().to_string_lossy();
        let title = format!("{} explains itself", name.trim_end_matches(".explained"));
        Ok(html::document(&title, &body))
    }

    /// What was found, in words.
    fn report(
        &self,
        ran: &[Ran],
        out: Option<&Path>,
        npy: Option<&Path>,
    ) -> Result<Report, Failure> {
        let mut text = String::new();
        let mut models = Vec::new();
        let count = ran.iter().map(|ran| ran.maps.len()).sum::<usize>();
        for ran in ran {
            let mut maps = Vec::new();
            for (about, relevance) in &ran.maps {
                let view = ran.sample.view(relevance, &ran.predictions, &self.drawing);
                let view = view.map_err(|e| self.refused(e))?;
                if count > 1 || out.is_none() {
                    let _ = writeln!(
                        text,
                        "{}: {} for {} ({}); Σ R = {}",
                        ran.path.display(),
                        Shown(&ran.explained),
                        Escaped(about),
                        Shown(&ran.options.rule_text()),
                        sum(relevance),
                    );
                }
                if out.is_none() {
                    let _ = writeln!(text, "\n{}", view.terminal);
                }
                let mut json = json!({"for": about, "sum": relevance.sum(), "scale": view.scale.0});
                if let (Some(json), serde_json::Value::Object(more)) =
                    (json.as_object_mut(), view.json)
                {
                    json.extend(more);
                }
                maps.push(json);
            }
            let mut predicted = Vec::new();
            if let [predictions] = ran.predictions.as_slice() {
                for prediction in predictions {
                    let _ = writeln!(text, "{}", prediction.line());
                    predicted.push(prediction.json());
                }
            }
            if let Some(note) = view::note(&ran.sample) {
                let _ = writeln!(text, "{}", Shown(&note));
            }
            models.push(json!({"model": ran.path, "maps": maps, "predictions": predicted}));
        }
        let first = ran.first();
        let map = models.first().map_or(json!(null), |model| model["maps"][0].clone());
        if let Some(out) = out.filter(|out| Some(*out) != npy) {
            let _ = writeln!(
                text,
                "{}: red for, blue against; full colour is {} ({}); Σ R = {}",
                out.display(),
                number(map["scale"].as_f64().unwrap_or(0.0)),
                self.drawing.full(),
                number(map["sum"].as_f64().unwrap_or(0.0)),
            );
        }
        if let (Some(npy), Some(ran)) = (npy, first) {
            let _ = writeln!(
                text,
                "{}: the relevance itself, {:?}",
                npy.display(),
                ran.relevance.shape()
            );
        }
        let predicted = first.and_then(|ran| ran.predictions.first()?.first());
        let largest = predicted.and_then(|prediction| {
            let (class, _, score) = prediction.best.first()?;
            Some(json!({"output": prediction.output, "class": class, "score": score}))
        });
        let json = json!({
            "heat_map": out, "relevance": npy, "scale": map["scale"], "sum": map["sum"], "largest": largest,
            "models": models,
        });
        Ok(Report { text, json, as_json: self.json, holds: true })
    }
}

/// Kinds of data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Image,
    Text,
    Sound,
    Table,
}

/// The classes of each sample, those of the largest scores first; none where the scores are of something else.
fn ranked(scores: Option<&ArrayD<f64>>, samples: usize) -> Vec<Vec<i64>> {
    let scores = scores.filter(|scores| scores.ndim() == 2 && scores.shape()[0] == samples);
    let Some(scores) = scores else { return vec![Vec::new(); samples] };
    let order = |row: ndarray::ArrayViewD<'_, f64>| {
        let mut order: Vec<_> = row.iter().copied().enumerate().collect();
        order.sort_by(|a, b| b.1.total_cmp(&a.1));
        order.into_iter().map(|(class, _)| class as i64).collect()
    };
    scores.axis_iter(Axis(0)).map(order).collect()
}

/// Refuses labels that are of other classes: as many names as there are scores have to be there.
fn check_labels(
    labels: &Labels,
    output: &str,
    scores: &ArrayD<f64>,
    tokens: Option<usize>,
) -> Result<(), Error> {
    let scores = match *scores.shape() {
        [_, scores] => scores,
        [_, length, scores] if Some(length) == tokens => scores,
        _ => return Ok(()),
    };
    if labels.len() == scores {
        return Ok(());
    }
    Err(Error::Labels { names: labels.len(), output: output.into(), scores })
}
