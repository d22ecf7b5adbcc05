//! `abslrp explain`

use std::{
    fmt::Write,
    io::{BufWriter, Cursor, Write as _},
    num::NonZeroUsize,
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
use image::{ImageFormat, RgbImage};
use ndarray::{Array1, Array2, ArrayD, Axis};
use serde_json::json;

use super::{
    Failure, Report,
    feed::{
        Error, Feeds,
        image::{Image, Preparation},
        text::{self, Text},
    },
    labels::Labels,
    prediction::Prediction,
    verify::Runtime,
};
use crate::show::{Scale, heat, html, number, terminal::Terminal, tokens};

/// Runs an explained model on an image or a text and shows what counted
#[derive(clap::Args)]
pub struct Args {
    /// The explained model
    explained: PathBuf,
    /// What is explained: an image (PNG, JPEG), a text (.txt), or .npy with what the model is fed
    #[arg(value_name = "INPUT", required_unless_present = "text")]
    data: Option<PathBuf>,
    /// What to write: .png (images), .html, or .npy with the relevance alone, which is written beside the others, too
    /// [default: for an image, INPUT with `.relevance.png`; for anything else the terminal]
    #[arg(short, long, value_name = "OUT")]
    out: Option<PathBuf>,
    #[command(flatten)]
    text: text::Given,
    #[command(flatten)]
    preparation: Preparation,
    /// What has full colour: this percentile of the |R|, or the largest with max
    #[arg(long, default_value = "99.5", value_name = "PERCENT|max", value_parser = percentile)]
    scale: f64,
    /// Average the map of an image over squares of N × N pixels
    #[arg(long, value_name = "N", conflicts_with = "smooth")]
    patch: Option<NonZeroUsize>,
    /// Smooth the map of an image by a Gaussian with a standard deviation of N pixels
    #[arg(long, value_name = "N", value_parser = deviation)]
    smooth: Option<f64>,
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

/// A percentile, where `max` is the hundredth.
fn percentile(text: &str) -> Result<f64, String> {
    match text.parse() {
        _ if text == "max" => Ok(100.0),
        Ok(percent) if percent > 0.0 && percent <= 100.0 => Ok(percent),
        _ => Err("not a percentile above 0 and up to 100, nor max".into()),
    }
}

/// A standard deviation in pixels.
fn deviation(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(pixels) if pixels > 0.0 && pixels <= 1000.0 => Ok(pixels),
        _ => Err("not a number of pixels above 0 and up to 1000".into()),
    }
}

/// What is explained.
enum Sample {
    Image(Image),
    Text(Box<Text>),
}

/// An explained model that has run.
struct Ran {
    /// The model's file.
    path: PathBuf,
    /// How it is explained, and which tensor.
    options: Options,
    explained: String,
    sample: Sample,
    predictions: Vec<Prediction>,
    /// The classes that are explained, where they are known.
    classes: Vec<i64>,
    /// The relevance of the sample, as the model gives it.
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
        let read = self.data.iter().chain(&self.labels).chain(&self.text.tokenizer).chain(given);
        read.for_each(|path| transaction.protect(path));
        models.iter().flat_map(|model| model.files()).for_each(|path| transaction.protect(&path));
        let check = |out: &Path| {
            transaction.check(out).and_then(|()| transaction.check(&out.with_extension("npy")))
        };
        self.out.as_deref().map_or(Ok(()), check)?;
        let how = Locate::from(self.runtime.clone());
        let ran = models.iter().zip(paths).map(|(model, path)| self.ran(model, path, &how));
        let ran = ran.collect::<Result<Vec<_>, _>>()?;
        let Some(first) = ran.first() else { return Err(self.refused(Error::NoTokens)) };

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
        let (sample, input) = self.sample(&mut feeds).map_err(refused)?;
        let asked = self.asked(&sample, model, &options, &labels).map_err(refused)?;
        let added = record.map_or(0, |record| record.added[3]);
        let wanted = format!("{input}_relevance");
        let mut run = |classes: &[i64]| -> Result<_, Failure> {
            let mut target = classes.to_vec();
            target.resize(asked_for(&options.target).max(1), 0);
            let target = Array1::from(target).into_dyn();
            let target = match options.target {
                Target::Inputs(_) => target.insert_axis(Axis(0)),
                _ => target,
            };
            let mut outputs = runner.run(&feeds.all(&target).map_err(refused)?)?;
            let place = outputs.iter().position(|(output, _)| *output == wanted);
            let place = place.ok_or_else(|| refused(Error::NoMap { output: wanted.clone() }))?;
            let (_, relevance) = outputs.remove(place);
            outputs.truncate((outputs.len() + 1).saturating_sub(added.max(1)));
            Ok((outputs, relevance))
        };
        let text = match &sample {
            Sample::Text(text) => Some(&**text),
            Sample::Image(_) => None,
        };
        let (mut outputs, mut relevance) = run(asked.as_deref().unwrap_or_default())?;
        let mut predictions = Prediction::of(&outputs, &labels, text);
        // Classes as they are ranked, where the scores are of classes.
        let ranked = |predictions: &[Prediction]| -> Vec<i64> {
            match predictions {
                [prediction] if text.is_none_or(|_| prediction.is_whole()) => {
                    prediction.best.iter().map(|(class, ..)| *class as i64).collect()
                }
                _ => Vec::new(),
            }
        };
        let count = asked_for(&options.target);
        let classes = match (&options.target, asked) {
            (_, Some(asked)) => asked,
            (Target::Input | Target::Inputs(_), None) => {
                let best: Vec<_> = ranked(&predictions).into_iter().take(count).collect();
                if best.len() == count && best.iter().any(|class| *class != 0) {
                    (outputs, relevance) = run(&best)?;
                    predictions = Prediction::of(&outputs, &labels, text);
                    best
                } else {
                    vec![0; count]
                }
            }
            (Target::Index(class), None) => vec![*class],
            (Target::Indices(classes), None) => classes.clone(),
            (Target::Argmax, None) if options.select.is_none() => {
                ranked(&predictions).into_iter().take(1).collect()
            }
            _ => Vec::new(),
        };
        if self.labels.is_some() {
            check_labels(&labels, &outputs, text).map_err(refused)?;
        }
        let name = |class: &i64| match (text, self.text.chooses_token()) {
            (Some(text), true) => format!("token {}", text.token(*class)),
            _ => labels.name(usize::try_from(*class).unwrap_or(usize::MAX)),
        };
        let numbers = relevance.numbers();
        let maps = match (options.target.maps(), &options.target) {
            // They lie side by side on axis 1.
            (Some(count), _) if numbers.ndim() > 1 && numbers.shape()[1] == count => {
                let maps = numbers.axis_iter(Axis(1)).map(|map| map.to_owned());
                let names = (0..count).map(|i| classes.get(i).map_or(format!("map {i}"), name));
                names.zip(maps).collect()
            }
            (_, Target::All) => vec![("all classes".into(), numbers)],
            (_, Target::Max) => vec![("the largest element".into(), numbers)],
            (_, Target::Argmax) if classes.is_empty() => {
                vec![("the largest score".into(), numbers)]
            }
            (_, target) => {
                vec![(classes.first().map_or_else(|| target.to_string(), name), numbers)]
            }
        };
        let explained = model.metadata("abslrp.output").unwrap_or_default().into();
        let path = path.to_path_buf();
        Ok(Ran { path, options, explained, sample, predictions, classes, relevance, maps })
    }

    /// Feeds the data. Gives the input whose relevance is shown.
    fn sample(&self, feeds: &mut Feeds<'_>) -> Result<(Sample, String), Error> {
        let extension = self.data.as_deref().and_then(Path::extension).and_then(|e| e.to_str());
        let is_text = match extension.map(str::to_lowercase).as_deref() {
            None | Some("txt") => self.text.is_given() || extension.is_some(),
            Some("npy") => self.text.is_given() || feeds.open.iter().any(text::is_ids),
            _ => false,
        };
        match &self.data {
            Some(path) if !is_text => {
                if self.text.is_given() {
                    return Err(Error::NotText);
                }
                let (image, input) = self.preparation.feed(feeds, path)?;
                Ok((Sample::Image(image), input))
            }
            data => {
                if let Some(option) =
                    self.patch.map(|_| "--patch").or(self.smooth.map(|_| "--smooth"))
                {
                    return Err(Error::ImagesOnly { option });
                }
                let (text, input) = self.text.feed(feeds, data.as_deref())?;
                Ok((Sample::Text(Box::new(text)), input))
            }
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
        if out.extension().is_some_and(|e| e == "html") {
            let document = self.document(ran)?;
            return transaction.create(out)?.write_all(document.as_bytes()).map_err(io);
        }
        let format = ImageFormat::from_path(out).map_err(|e| bad(e.to_string()))?;
        let Some(picture) = self.picture(ran)? else {
            return Err(
                bad("a text is shown in the terminal or as .html; name such a file".into()),
            );
        };
        // The encoder of pictures goes back and forth.
        let mut file = BufWriter::new(transaction.create(out)?);
        picture.write_to(&mut file, format).map_err(|e| bad(e.to_string()))?;
        file.flush().map_err(io)
    }

    /// The maps of images, side by side.
    fn picture(&self, ran: &[Ran]) -> Result<Option<RgbImage>, Failure> {
        let Some(Sample::Image(first)) = ran.first().map(|ran| &ran.sample) else {
            return Ok(None);
        };
        let mut panels = Vec::new();
        for Ran { sample, maps, .. } in ran {
            let Sample::Image(image) = sample else { continue };
            for (_, relevance) in maps {
                panels.push(self.panel(image, relevance)?);
            }
        }
        Ok(Some(heat::picture(&first.picture(), &panels)))
    }

    /// The map of an image with its scale. Each by itself: rules start from different amounts.
    fn panel(
        &self,
        image: &Image,
        relevance: &ArrayD<f64>,
    ) -> Result<(Scale, Array2<f64>), Failure> {
        let mut map = image.map(relevance).map_err(|e| self.refused(e))?;
        if let Some(size) = self.patch {
            heat::pool(&mut map, size.get());
        }
        if let Some(deviation) = self.smooth {
            heat::smooth(&mut map, deviation);
        }
        Ok((Scale::percentile(map.iter().copied(), self.scale), map))
    }

    /// A map as it is shown.
    fn view(&self, sample: &Sample, relevance: &ArrayD<f64>) -> Result<View, Failure> {
        let refused = |error| self.refused(error);
        let scale = |values: &[f64]| Scale::percentile(values.iter().copied(), self.scale);
        Ok(match sample {
            Sample::Image(image) => {
                let (scale, map) = self.panel(image, relevance)?;
                let [height, width] = [map.nrows(), map.ncols()];
                let picture = heat::picture(&image.picture(), &[(scale, map)]);
                let alt = format!(
                    "The image in grey, {height} × {width}, each pixel red where it counts for, blue against"
                );
                let html = html::image(&png(&picture), &alt) + &html::legend(scale);
                View { scale, terminal: String::new(), html, json: json!({}) }
            }
            Sample::Text(text) => {
                let tokens = text.of_tokens(relevance).map_err(refused)?;
                let words = text.words(&tokens);
                let scale = scale(&words.iter().map(|word| word.relevance).collect::<Vec<_>>());
                let json = json!({
                    "tokens": text.tokens().zip(&tokens)
                        .map(|((name, id), r)| json!({"token": name, "id": id, "relevance": r})).collect::<Vec<_>>(),
                    "words": words.iter()
                        .map(|w| json!({"word": w.text, "tokens": w.pieces, "relevance": w.relevance})).collect::<Vec<_>>(),
                });
                let terminal = tokens::terminal(&words, scale, Terminal::of_stdout());
                View { scale, terminal, html: tokens::html(&words, scale), json }
            }
        })
    }

    /// All that was found, as one document.
    fn document(&self, ran: &[Ran]) -> Result<String, Failure> {
        let mut body = String::new();
        for ran in ran {
            let facts = [
                ("Model", ran.path.display().to_string()),
                (
                    "Input",
                    self.data.as_ref().map_or("a text".into(), |path| path.display().to_string()),
                ),
                ("Explained tensor", ran.explained.clone()),
                ("Rule", ran.options.rule_text()),
                ("Target", ran.options.target.to_string()),
            ];
            body += &html::section("What is explained", &html::facts(&facts));
            if !ran.predictions.is_empty() {
                let all: String = ran.predictions.iter().map(|p| p.html(&ran.classes)).collect();
                body += &html::section("What the model says", &all);
            }
            for (about, relevance) in &ran.maps {
                let view = self.view(&ran.sample, relevance)?;
                let sum = format!("<p class=\"quiet\">Σ R = {}</p>\n", number(relevance.sum()));
                body += &html::section(&format!("Relevance for {about}"), &(view.html + &sum));
            }
        }
        let name = self.explained.file_stem().unwrap_or_default().to_string_lossy();
        Ok(html::document(
            &format!("{} explains itself", name.trim_end_matches(".explained")),
            &body,
        ))
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
                let view = self.view(&ran.sample, relevance)?;
                let sum = relevance.sum();
                if count > 1 || out.is_none() {
                    let _ = writeln!(
                        text,
                        "{}: {} for {} ({}); Σ R = {}",
                        ran.path.display(),
                        Shown(&ran.explained),
                        Escaped(about),
                        Shown(&ran.options.rule_text()),
                        number(sum),
                    );
                }
                if out.is_none() {
                    let _ = writeln!(text, "\n{}", view.terminal);
                }
                let mut json = json!({"for": about, "sum": sum, "scale": view.scale.0});
                if let (Some(json), serde_json::Value::Object(more)) =
                    (json.as_object_mut(), view.json)
                {
                    json.extend(more);
                }
                maps.push(json);
            }
            for prediction in &ran.predictions {
                let _ = writeln!(text, "{}", prediction.line());
            }
            if let Sample::Text(read) = &ran.sample
                && let unknown = read.unknown()
                && !unknown.is_empty()
            {
                let unknown = unknown.join(", ");
                let _ = writeln!(text, "the tokenizer has no tokens for {}", Shown(&unknown));
            }
            let predictions: Vec<_> = ran.predictions.iter().map(Prediction::json).collect();
            models.push(json!({"model": ran.path, "maps": maps, "predictions": predictions}));
        }
        let first = ran.first();
        let map = models.first().map_or(json!(null), |model| model["maps"][0].clone());
        if let Some(out) = out.filter(|out| Some(*out) != npy) {
            let what = if self.scale < 100.0 {
                format!("{} % have less |R|", self.scale)
            } else {
                "the largest |R|".into()
            };
            let _ = writeln!(
                text,
                "{}: red for, blue against; full colour is {} ({what}); Σ R = {}",
                out.display(),
                number(map["scale"].as_f64().unwrap_or(0.0)),
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
        let largest = first.and_then(|ran| ran.predictions.first()).and_then(|prediction| {
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

/// A map as it is shown.
struct View {
    scale: Scale,
    /// With colours where there are some; nothing for images.
    terminal: String,
    html: String,
    json: serde_json::Value,
}

/// How many classes a model is asked for.
fn asked_for(target: &Target) -> usize {
    match target {
        Target::Input => 1,
        Target::Inputs(count) => *count,
        _ => 0,
    }
}

/// Refuses labels that are of other classes: as many names as there are scores have to be there.
fn check_labels(
    labels: &Labels,
    outputs: &[(String, Array)],
    text: Option<&Text>,
) -> Result<(), Error> {
    let Some((output, array)) = outputs.first() else { return Ok(()) };
    let scores = match (array.shape(), text) {
        (&[_, scores], _) => scores,
        (&[_, tokens, scores], Some(text)) if tokens == text.length() => scores,
        _ => return Ok(()),
    };
    if labels.len() == scores {
        return Ok(());
    }
    Err(Error::Labels { names: labels.len(), output: output.clone(), scores })
}

/// A picture as a PNG.
fn png(picture: &RgbImage) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    // Nothing is written to but memory.
    let _ = picture.write_to(&mut bytes, ImageFormat::Png);
    bytes.into_inner()
}
