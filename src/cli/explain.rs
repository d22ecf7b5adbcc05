//! `abslrp explain`

use std::{
    fmt::Write,
    io::{BufWriter, Cursor, Write as _},
    path::{Path, PathBuf},
};

use abslrp::{
    onnx::{Model, Transaction, file, shown::Shown},
    verify::{
        runtime::Locate,
        session::{Array, Device, Input, Runner, Source},
    },
};
use image::{DynamicImage, ImageReader, Limits, RgbImage, imageops::FilterType};
use ndarray::{Array2, ArrayD, Axis, Ix3, IxDyn};
use serde_json::json;

use super::{Failure, Report, verify::Runtime};

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
    /// The order of the input's axes [default: whichever has 1 or 3 channels]
    #[arg(long, value_enum)]
    layout: Option<Layout>,
    /// What a pixel of 0 to 255 is divided by [default: 255, or 1 for integer inputs and inputs
    /// whose metadata say Image.NominalPixelRange = `NominalRange_0_255`]
    #[arg(long)]
    scale: Option<f64>,
    /// What is then subtracted, per channel [default: metadata `mean`, or 0]
    #[arg(long, value_delimiter = ',', allow_negative_numbers = true)]
    mean: Vec<f64>,
    /// What it is then divided by, per channel [default: metadata `std`, or 1]
    #[arg(long, value_delimiter = ',')]
    std: Vec<f64>,
    /// The class, for a model compiled with `--target input`
    #[arg(long, default_value_t = 0)]
    target: i64,
    #[command(flatten)]
    runtime: Runtime,
    /// Write the summary as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, PartialEq, clap::ValueEnum)]
enum Layout {
    /// Batch, channels, height, width
    Nchw,
    /// Batch, height, width, channels
    Nhwc,
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
        model.files().iter().chain([&self.image]).for_each(|path| transaction.protect(path));
        [&out, &npy].into_iter().try_for_each(|path| transaction.check(path))?;
        let refuse = |what: String| Failure::Image { path: self.explained.clone(), what };
        let how: Locate = Locate::from(self.runtime);
        let source = Source::File(&self.explained);
        let mut runner = Runner::new(&source, true, Device::Cpu, &how)?;
        let images: Vec<_> = runner.inputs().into_iter().filter(|i| i.name != "target").collect();
        let [Input { name, elem, shape, .. }] = images.as_slice() else {
            return Err(refuse("explain takes a model with one image input; use verify or ONNX Runtime itself for others".into()));
        };
        if shape.len() != 4 {
            return Err(refuse(format!(
                "the input {} has {} axes, an image has 4 (NCHW or NHWC)",
                Shown(name),
                shape.len()
            )));
        }
        let layout = self.layout.unwrap_or(match (shape[1], shape[3]) {
            (Some(1 | 3), _) => Layout::Nchw,
            (_, Some(1 | 3)) => Layout::Nhwc,
            _ => Layout::Nchw,
        });
        let [c, h, w] = if layout == Layout::Nchw { [1, 2, 3] } else { [3, 1, 2] };

        let is_npy = self.image.extension().is_some_and(|e| e == "npy");
        let bad_image = |what: String| Failure::Image { path: self.image.clone(), what };
        let (numbers, picture) = if is_npy {
            let numbers = Array::read(&self.image)?;
            let numbers = if numbers.ndim() == 3 { numbers.insert_axis(Axis(0)) } else { numbers };
            if numbers.ndim() != 4 || numbers.shape()[0] != 1 {
                return Err(bad_image(format!(
                    "shape {:?} is not that of one image",
                    numbers.shape()
                )));
            }
            (numbers, None)
        } else {
            let picture = picture(&self.image).map_err(bad_image)?;
            let size = |axis: usize, own: u32| {
                shape[axis].and_then(|n| u32::try_from(n).ok()).unwrap_or(own)
            };
            let (height, width) = (size(h, picture.height()), size(w, picture.width()));
            let channels = if shape[c] == Some(1) { 1 } else { 3 };
            let listed = |given: &[f64], key: &str, default: f64| -> Vec<f64> {
                let stated = model.metadata(key).map(|text| {
                    let numbers = text.trim_matches(['[', ']', '(', ')']).split(',');
                    numbers.filter_map(|n| n.trim().parse().ok()).collect::<Vec<f64>>()
                });
                let list =
                    if given.is_empty() { stated.unwrap_or_default() } else { given.to_vec() };
                (0..channels)
                    .map(|i| list.get(i).or(list.first()).copied().unwrap_or(default))
                    .collect()
            };
            let bytes = model.metadata("Image.NominalPixelRange") == Some("NominalRange_0_255")
                || elem.as_str_name().contains("INT");
            let scale = self.scale.unwrap_or(if bytes { 1.0 } else { 255.0 });
            let (mean, std) = (listed(&self.mean, "mean", 0.0), listed(&self.std, "std", 1.0));
            let resized = picture.resize_exact(width, height, FilterType::Triangle);
            let grey = resized.to_luma32f();
            let rgb = resized.to_rgb32f();
            let mut dims = [1; 4];
            (dims[c], dims[h], dims[w]) = (channels, height as usize, width as usize);
            let numbers = ArrayD::from_shape_fn(IxDyn(&dims), |at| {
                let (x, y, channel) = (at[w] as u32, at[h] as u32, at[c]);
                let pixel = if channels == 1 { grey[(x, y)][0] } else { rgb[(x, y)][channel] };
                (f64::from(pixel) * 255.0 / scale - mean[channel]) / std[channel]
            });
            (numbers, Some(picture))
        };

        let mut feeds = vec![(name.clone(), Array::of_numbers(&numbers, *elem)?)];
        let target = ArrayD::from_elem(IxDyn(&[1]), self.target);
        feeds.push(("target".into(), Array::Int64(target)));
        let outputs = runner.run(&feeds)?;
        let wanted = format!("{name}_relevance");
        let relevance = outputs.iter().find(|(output, _)| *output == wanted);
        let (_, relevance) = relevance.ok_or_else(|| {
            refuse(format!("there is no output {wanted}: explain it first with `abslrp compile`"))
        })?;

        // One number per pixel: the sum over channels.
        let map = relevance.numbers().remove_axis_sum(c).map_err(refuse)?;
        let scale = map.iter().fold(0.0f64, |m, v| m.max(v.abs()));
        relevance.write_to(transaction.create(&npy)?, &npy)?;
        let picture = picture.unwrap_or_else(|| drawn(&numbers, [c, h, w]));
        // The encoder of pictures goes back and forth.
        let mut file = BufWriter::new(transaction.create(&out)?);
        heat(&picture, &map, scale)
            .write_to(&mut file, format)
            .and_then(|()| Ok(file.flush()?))
            .map_err(|e| Failure::Image { path: out.clone(), what: e.to_string() })?;
        drop(file);
        transaction.commit()?;

        let sum: f64 = map.sum();
        let mut text = String::new();
        let _ = writeln!(
            text,
            "{}: red for, blue against; full colour is {scale:.6} (the largest |R| of a pixel, \
             channels added up); Σ R = {sum:.6}",
            out.display()
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

/// Reads a picture. Its header may say anything: what it would take is looked at before it is had.
fn picture(path: &Path) -> Result<DynamicImage, String> {
    /// More than any camera's, and half a gigabyte at most.
    const PIXELS: u64 = 1 << 26;
    let bytes = file::read(path, 1 << 30).map_err(|e| e.to_string())?;
    let read = |memory: u64| {
        let mut reader = ImageReader::new(Cursor::new(&bytes)).with_guessed_format()?;
        let mut limits = Limits::default();
        limits.max_alloc = Some(memory);
        reader.limits(limits);
        Ok::<_, image::ImageError>(reader)
    };
    let size = read(1 << 26).and_then(ImageReader::into_dimensions);
    let (width, height) = size.map_err(|e| e.to_string())?;
    let pixels = u64::from(width) * u64::from(height);
    if pixels > PIXELS {
        return Err(format!("{width} × {height} pixels are too many; scale it down first"));
    }
    read(8 * pixels + (1 << 26)).and_then(ImageReader::decode).map_err(|e| e.to_string())
}

trait Pixels {
    /// The sum over the channel axis of one image, as rows and columns.
    fn remove_axis_sum(self, channels: usize) -> Result<Array2<f64>, String>;
}

impl Pixels for ArrayD<f64> {
    fn remove_axis_sum(self, channels: usize) -> Result<Array2<f64>, String> {
        let shape = self.shape().to_vec();
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

/// The picture in light grey under the map in red and blue, which vanish at zero.
fn heat(picture: &DynamicImage, map: &Array2<f64>, scale: f64) -> RgbImage {
    // A small picture is enlarged until its pixels can be seen.
    let factor = (256 / picture.width().max(picture.height()).max(1)).max(1);
    let (width, height) = (picture.width() * factor, picture.height() * factor);
    let grey = picture.resize_exact(width, height, FilterType::Nearest).to_luma8();
    let (rows, columns) = map.dim();
    RgbImage::from_fn(width, height, |x, y| {
        let row = (y as usize * rows / height as usize).min(rows.saturating_sub(1));
        let column = (x as usize * columns / width as usize).min(columns.saturating_sub(1));
        let strength = if scale > 0.0 { map[[row, column]] / scale } else { 0.0 };
        let colour = if strength > 0.0 { [178.0, 24.0, 43.0] } else { [33.0, 102.0, 172.0] };
        let light = 160.0 + 95.0 * f64::from(grey[(x, y)][0]) / 255.0;
        image::Rgb(
            colour.map(|full| {
                (light + (full - light) * strength.abs().sqrt()).clamp(0.0, 255.0) as u8
            }),
        )
    })
}
