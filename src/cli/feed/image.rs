//! Pictures as models are fed them, which `explain` and `evaluate` share.

use std::{io::Cursor, path::Path};

use abslrp::{
    evaluate::image_axes,
    onnx::{DataType, Model, file},
    verify::session::{Array, Input},
};
use image::{DynamicImage, ImageReader, Limits, imageops::FilterType};
use ndarray::{Array2, ArrayD, Axis, Ix2, IxDyn};

use super::{Error, Feeds};

/// How pixels become numbers.
#[derive(Debug, Clone, clap::Args)]
pub struct Preparation {
    /// The order of the input's axes [default: whichever has 1 or 3 channels]
    #[arg(long, value_enum)]
    layout: Option<Layout>,
    /// What a pixel of 0 to 255 is divided by [default: 255, or 1 for integer inputs and inputs
    /// whose metadata say Image.NominalPixelRange = `NominalRange_0_255`]
    #[arg(long)]
    divisor: Option<f64>,
    /// What is then subtracted, per channel [default: metadata `mean`, or 0]
    #[arg(long, value_delimiter = ',', allow_negative_numbers = true)]
    mean: Vec<f64>,
    /// What it is then divided by, per channel [default: metadata `std`, or 1]
    #[arg(long, value_delimiter = ',')]
    std: Vec<f64>,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Layout {
    /// Batch, channels, height, width
    Nchw,
    /// Batch, height, width, channels
    Nhwc,
}

impl Preparation {
    /// The axes of channels, height and width of an input of four axes.
    pub fn axes(&self, shape: &[Option<usize>]) -> Option<[usize; 3]> {
        let axes = image_axes(shape)?;
        Some(match self.layout {
            Some(Layout::Nchw) => [1, 2, 3],
            Some(Layout::Nhwc) => [3, 1, 2],
            None => axes,
        })
    }

    /// How a picture becomes this input, with axes of channels, height and width.
    pub fn pixels(&self, model: &Model, input: &Input, axes: [usize; 3]) -> Pixels {
        let [size_of_channels, height, width] =
            axes.map(|axis| input.shape.get(axis).copied().flatten());
        let channels = if size_of_channels == Some(1) { 1 } else { 3 };
        let listed = |given: &[f64], key: &str, default: f64| -> Vec<f64> {
            let stated = model.metadata(key).map(|text| {
                let numbers = text.trim_matches(['[', ']', '(', ')']).split(',');
                numbers.filter_map(|n| n.trim().parse().ok()).collect::<Vec<f64>>()
            });
            let list = if given.is_empty() { stated.unwrap_or_default() } else { given.to_vec() };
            (0..channels)
                .map(|i| list.get(i).or(list.first()).copied().unwrap_or(default))
                .collect()
        };
        let bytes = model.metadata("Image.NominalPixelRange") == Some("NominalRange_0_255")
            || DataType::as_str_name(&input.elem).contains("INT");
        Pixels {
            axes,
            height,
            width,
            divisor: self.divisor.unwrap_or(if bytes { 1.0 } else { 255.0 }),
            mean: listed(&self.mean, "mean", 0.0),
            std: listed(&self.std, "std", 1.0),
        }
    }

    /// Feeds a picture, or an `.npy` file of one as the model takes it. Gives the input that it goes to.
    pub fn feed(&self, feeds: &mut Feeds<'_>, path: &Path) -> Result<(Image, String), Error> {
        let input = feeds.only("an image ([N, C, H, W] or [N, H, W, C])", |input| {
            self.axes(&input.shape).is_some()
        })?;
        // The input was chosen for its axes.
        let axes = self.axes(&input.shape).unwrap_or([1, 2, 3]);
        let image = if path.extension().is_some_and(|e| e == "npy") {
            let numbers = Array::read(path)?;
            let lacking = numbers.ndim() == 3;
            let numbers = if lacking { numbers.insert_axis(Axis(0)) } else { numbers };
            if numbers.ndim() != 4 || numbers.shape()[0] != 1 {
                let what = format!("shape {:?} is not that of one image", numbers.shape());
                return Err(Error::Other(what));
            }
            Image { numbers, axes, picture: None }
        } else {
            let picture = picture(path).map_err(Error::Other)?;
            let numbers = self.pixels(feeds.model, &input, axes).numbers(&picture);
            Image { numbers, axes, picture: Some(picture) }
        };
        feeds.feed_numbers(&input, &image.numbers)?;
        Ok((image, input.name))
    }
}

/// A picture that is fed.
pub struct Image {
    numbers: ArrayD<f64>,
    /// Those of channels, height and width.
    axes: [usize; 3],
    picture: Option<DynamicImage>,
}

impl Image {
    /// Rows of numbers as a picture.
    pub fn of_rows(rows: &Array2<f64>) -> Self {
        let numbers = rows.clone().into_dyn().insert_axis(Axis(0)).insert_axis(Axis(0));
        Self { numbers, axes: [1, 2, 3], picture: None }
    }

    /// The picture; where there were numbers alone, their mean over channels in grey, stretched to the full range.
    pub fn picture(&self) -> DynamicImage {
        if let Some(picture) = &self.picture {
            return picture.clone();
        }
        let [c, h, w] = self.axes;
        let mean = self.numbers.mean_axis(Axis(c)).unwrap_or_else(|| self.numbers.clone());
        let (low, high) = mean.iter().fold((f64::MAX, f64::MIN), |(l, h), &v| (l.min(v), h.max(v)));
        let span = (high - low).max(f64::MIN_POSITIVE);
        let bytes: Vec<_> = mean.iter().map(|v| ((v - low) / span * 255.0) as u8).collect();
        let (height, width) = (self.numbers.shape()[h] as u32, self.numbers.shape()[w] as u32);
        image::GrayImage::from_raw(width, height, bytes).unwrap_or_default().into()
    }

    /// Relevance as rows and columns: of each pixel, the sum over channels.
    pub fn map(&self, relevance: &ArrayD<f64>) -> Result<Array2<f64>, Error> {
        let [channels, ..] = self.axes;
        // The model may have added channels up already.
        let pixels = match relevance.ndim() {
            3 if relevance.shape()[0] == 1 => Some(relevance.index_axis(Axis(0), 0).to_owned()),
            4 if relevance.shape()[0] == 1 => {
                Some(relevance.sum_axis(Axis(channels)).index_axis(Axis(0), 0).to_owned())
            }
            _ => None,
        };
        let map = pixels.and_then(|pixels| pixels.into_dimensionality::<Ix2>().ok());
        let what = || format!("relevance of shape {:?} is no image", relevance.shape());
        map.ok_or_else(|| Error::Other(what()))
    }
}

/// How a picture becomes an input: scaled to its size, and per channel
/// (pixel of 0 to 255 / divisor − mean) / std.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Pixels {
    /// The axes of channels, height and width.
    axes: [usize; 3],
    /// The height in pixels; the picture's own where the model takes any.
    height: Option<usize>,
    /// The width in pixels; the picture's own where the model takes any.
    width: Option<usize>,
    divisor: f64,
    /// One for each channel: one of grey, or three of red, green and blue.
    mean: Vec<f64>,
    /// As many.
    std: Vec<f64>,
}

impl Pixels {
    /// A picture as the input is fed it, a batch of one.
    pub fn numbers(&self, picture: &DynamicImage) -> ArrayD<f64> {
        let size =
            |size: Option<usize>, own: u32| size.and_then(|n| u32::try_from(n).ok()).unwrap_or(own);
        let (height, width) =
            (size(self.height, picture.height()), size(self.width, picture.width()));
        let resized = picture.resize_exact(width, height, FilterType::Triangle);
        let grey = resized.to_luma32f();
        let rgb = resized.to_rgb32f();
        let Self { axes: [c, h, w], divisor, mean, std, .. } = self;
        let mut dims = [1; 4];
        (dims[*c], dims[*h], dims[*w]) = (mean.len(), height as usize, width as usize);
        ArrayD::from_shape_fn(IxDyn(&dims), |at| {
            let (x, y, channel) = (at[*w] as u32, at[*h] as u32, at[*c]);
            let pixel = if mean.len() == 1 { grey[(x, y)][0] } else { rgb[(x, y)][channel] };
            (f64::from(pixel) * 255.0 / divisor - mean[channel]) / std[channel]
        })
    }
}

/// Reads a picture. Its header may say anything: what it would take is looked at before it is had.
pub fn picture(path: &Path) -> Result<DynamicImage, String> {
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
