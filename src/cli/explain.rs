//! `abslrp explain`

use std::{
    fmt::Write,
    io::{BufWriter, Write as _},
    num::NonZeroUsize,
    path::{Path, PathBuf},
};

use abslrp::{
    Record,
    onnx::{Model, Transaction, shown::Shown},
    verify::{
        runtime::Locate,
        session::{Array, Device, Input, Runner, Source},
    },
};
use image::DynamicImage;
use ndarray::{Array2, ArrayD, Axis, Ix3, IxDyn};
use serde_json::json;

use super::{
    Failure, Report,
    feed::image::{self as images, Preparation},
    verify::Runtime,
};
use crate::show::heat;

/// Runs an explained model on an image and writes the heat map over it
#[derive(clap::Args)]
pub struct Args {
    /// The explained model, with one image input
    explained: PathBuf,
    /// The image: PNG, JPEG, or .npy with what the model is fed
    image: PathBuf,
    /// The heat map to write, a PNG [default: IMAGE with `.relevance.png`]; the relevance itself is
    /// written beside it as .npy
    #[arg(short, long, value_name = "OUT")]
    out: Option<PathBuf>,
    #[command(flatten)]
    preparation: Preparation,
    /// What has full colour: this percentile of the pixels' |R|, or the largest with max
    #[arg(long, default_value = "99.5", value_name = "PERCENT|max", value_parser = percentile)]
    scale: f64,
    /// Average the map over squares of N × N pixels
    #[arg(long, value_name = "N", conflicts_with = "smooth")]
    patch: Option<NonZeroUsize>,
    /// Smooth the map by a Gaussian with a standard deviation of N pixels
    #[arg(long, value_name = "N", value_parser = deviation)]
    smooth: Option<f64>,
    /// Another explained model, whose map is drawn beside this one's; may be repeated
    #[arg(long, value_name = "EXPLAINED")]
    beside: Vec<PathBuf>,
    /// The class, for a model compiled with `--target input`
    #[arg(long, default_value_t = 0)]
    target: i64,
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

/// An explained model that has run on the picture.
struct Ran {
    /// The input, what it was fed, and its axes of channels, height and width.
    numbers: ArrayD<f64>,
    axes: [usize; 3],
    picture: Option<DynamicImage>,
    outputs: Vec<(String, Array)>,
    /// The name of the map among them.
    wanted: String,
    relevance: Array,
    /// One number per pixel: the sum over channels.
    map: Array2<f64>,
}

impl Args {
    pub fn run(self) -> Result<Report, Failure> {
        let model = Model::open(&self.explained)?;
        let out = self.out.unwrap_or_else(|| self.image.with_extension("relevance.png"));
        let npy = out.with_extension("npy");
        let format = image::ImageFormat::from_path(&out);
        let format =
            format.map_err(|e| Failure::Image { path: out.clone(), what: e.to_string() })?;
        let mut transaction = Transaction::default();
        let beside = self.beside.iter().map(Model::open).collect::<Result<Vec<_>, _>>()?;
        for model in std::iter::once(&model).chain(&beside) {
            model.files().iter().for_each(|path| transaction.protect(path));
        }
        transaction.protect(&self.image);
        [&out, &npy].into_iter().try_for_each(|path| transaction.check(path))?;
        let how: Locate = Locate::from(self.runtime);
        let run = |model: &Model, path: &Path| {
            ran(model, path, &self.image, &self.preparation, self.target, &how)
        };
        let first = run(&model, &self.explained)?;
        let mut maps = vec![first.map.clone()];
        for (model, path) in beside.iter().zip(&self.beside) {
            maps.push(run(model, path)?.map);
        }
        for map in &mut maps {
            if let Some(size) = self.patch {
                heat::pool(map, size.get());
            }
            if let Some(deviation) = self.smooth {
                heat::smooth(map, deviation);
            }
        }
        let Ran { numbers, axes, picture, outputs, wanted, relevance, map } = first;
        relevance.write_to(transaction.create(&npy)?, &npy)?;
        let picture = picture.unwrap_or_else(|| drawn(&numbers, axes));
        // Each map by itself: rules start from different amounts.
        let panels: Vec<_> =
            maps.into_iter().map(|map| (heat::percentile(&map, self.scale), map)).collect();
        let scale = panels.first().map_or(0.0, |(scale, _)| *scale);
        // The encoder of pictures goes back and forth.
        let mut file = BufWriter::new(transaction.create(&out)?);
        heat::picture(&picture, &panels)
            .write_to(&mut file, format)
            .and_then(|()| Ok(file.flush()?))
            .map_err(|e| Failure::Image { path: out.clone(), what: e.to_string() })?;
        drop(file);
        transaction.commit()?;

        let sum: f64 = map.sum();
        let mut text = String::new();
        let _ = writeln!(
            text,
            "{}: red for, blue against; full colour is {scale:.6} ({}, channels added up); Σ R = {sum:.6}",
            out.display(),
            if self.scale < 100.0 {
                format!("{} % of pixels have less |R|", self.scale)
            } else {
                "the largest |R| of a pixel".into()
            }
        );
        let _ = writeln!(text, "{}: the relevance itself, {:?}", npy.display(), relevance.shape());
        let predicted = outputs.iter().find(|(output, _)| *output != wanted);
        let best = predicted.and_then(|(output, array)| {
            let numbers = array.numbers();
            let best = numbers.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1))?;
            Some((output.clone(), best.0, *best.1))
        });
        if let Some((output, class, score)) = &best {
            let _ = writeln!(text, "{} is largest at class {class}: {score:.6}", Shown(output));
        }
        let json = json!({
            "heat_map": out, "relevance": npy, "scale": scale, "sum": sum,
            "largest": best.map(|(output, class, score)| json!({"output": output, "class": class, "score": score})),
        });
        Ok(Report { text, json, as_json: self.json, holds: true })
    }
}

/// What an explained model may be asked by inputs that its source has not.
const ADDED: [&str; 2] = ["target", "explain"];

/// Runs an explained model on a picture.
fn ran(
    model: &Model,
    path: &Path,
    image: &Path,
    preparation: &Preparation,
    target: i64,
    how: &Locate,
) -> Result<Ran, Failure> {
    let refuse = |what: String| Failure::Image { path: path.into(), what };
    let mut runner = Runner::new(&Source::File(path), true, Device::Cpu, how)?;
    let options = Record::read(model).and_then(|record| record.options().ok()).unwrap_or_default();
    let is_set = |input: &Input| options.set.iter().any(|setting| setting.name == input.name);
    let inputs = runner.inputs().into_iter();
    let inputs = inputs.filter(|input| !ADDED.contains(&input.name.as_str()));
    let (set, images): (Vec<_>, Vec<_>) = inputs.partition(is_set);
    let [input] = images.as_slice() else {
        return Err(refuse("explain takes a model with one image input; use verify or ONNX Runtime itself for others".into()));
    };
    let name = &input.name;
    let Some(axes) = preparation.axes(&input.shape) else {
        return Err(refuse(format!(
            "the input {} has {} axes, an image has 4 (NCHW or NHWC)",
            Shown(name),
            input.shape.len()
        )));
    };
    let bad_image = |what: String| Failure::Image { path: image.into(), what };
    let (numbers, picture) = if image.extension().is_some_and(|e| e == "npy") {
        let numbers = Array::read(image)?;
        let numbers = if numbers.ndim() == 3 { numbers.insert_axis(Axis(0)) } else { numbers };
        if numbers.ndim() != 4 || numbers.shape()[0] != 1 {
            return Err(bad_image(format!("shape {:?} is not that of one image", numbers.shape())));
        }
        (numbers, None)
    } else {
        let picture = images::picture(image).map_err(bad_image)?;
        (preparation.pixels(model, input, axes).numbers(&picture), Some(picture))
    };
    let mut feeds = vec![(name.clone(), Array::of_numbers(&numbers, input.elem)?)];
    for setting in &options.set {
        for input in set.iter().filter(|input| input.name == setting.name) {
            feeds.extend(input.set_to(setting)?.map(|array| (input.name.clone(), array)));
        }
    }
    let target = ArrayD::from_elem(IxDyn(&[1]), target);
    feeds.push(("target".into(), Array::Int64(target)));
    feeds.push(("explain".into(), Array::Bool(ArrayD::from_elem(IxDyn(&[]), true))));
    let outputs = runner.run(&feeds)?;
    let wanted = format!("{name}_relevance");
    let relevance = outputs.iter().find(|(output, _)| *output == wanted);
    let (_, relevance) = relevance.cloned().ok_or_else(|| {
        refuse(format!("there is no output {wanted}: explain it first with `abslrp compile`"))
    })?;
    let [channels, ..] = axes;
    let map = relevance.numbers().remove_axis_sum(channels).map_err(refuse)?;
    Ok(Ran { numbers, axes, picture, outputs, wanted, relevance, map })
}

trait Pixels {
    /// The sum over the channel axis of one image, as rows and columns.
    fn remove_axis_sum(self, channels: usize) -> Result<Array2<f64>, String>;
}

impl Pixels for ArrayD<f64> {
    fn remove_axis_sum(self, channels: usize) -> Result<Array2<f64>, String> {
        let shape = self.shape().to_vec();
        if let [1, _, _] = shape.as_slice() {
            // The model has added them up already.
            let image = self.index_axis_move(Axis(0), 0).into_dimensionality();
            return image.map_err(|_| format!("relevance of shape {shape:?} is no image"));
        }
        let volume = self.into_dimensionality::<ndarray::Ix4>();
        let volume = volume.map_err(|_| format!("relevance of shape {shape:?} is no image"))?;
        let image: ndarray::Array<f64, Ix3> = volume.sum_axis(Axis(channels));
        Ok(image.index_axis(Axis(0), 0).to_owned())
    }
}

/// The grey picture of what a model was fed, stretched to the full range.
fn drawn(numbers: &ArrayD<f64>, [c, h, w]: [usize; 3]) -> DynamicImage {
    let mean = numbers.mean_axis(Axis(c)).unwrap_or_else(|| numbers.clone());
    let (low, high) = mean.iter().fold((f64::MAX, f64::MIN), |(l, h), &v| (l.min(v), h.max(v)));
    let span = (high - low).max(f64::MIN_POSITIVE);
    let bytes: Vec<_> = mean.iter().map(|v| ((v - low) / span * 255.0) as u8).collect();
    let (height, width) = (numbers.shape()[h] as u32, numbers.shape()[w] as u32);
    image::GrayImage::from_raw(width, height, bytes).unwrap_or_default().into()
}
