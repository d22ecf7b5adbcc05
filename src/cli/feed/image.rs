//! Pictures as models are fed them, which `explain` and `evaluate` share.

use std::{io::Cursor, path::Path, str::FromStr};

use abslrp::{
    evaluate::image_axes,
    onnx::{DataType, Model, file},
    verify::session::{Array, Input},
};
use image::{
    DynamicImage, ImageReader, Limits, Rgb, RgbImage,
    imageops::{self, FilterType},
};
use ndarray::{Array2, ArrayD, Axis, Ix2, IxDyn};

use super::{Error, Feeds};

/// How many pixels a picture may have: more than any camera's, and half a gigabyte at most.
const PIXELS: u64 = 1 << 26;

/// The grey of the bars beside a picture, as YOLO and its like are trained with.
const BAR: u8 = 114;

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
    /// The mean and deviation by the name of those who use them, of pixels of 0 to 1
    #[arg(long, value_enum, conflicts_with_all = ["mean", "std"])]
    statistics: Option<Statistics>,
    /// How a picture of another shape fits the input: stretch, crop (the middle; crop:0.875 leaves as much of the shorter
    /// edge), or letterbox (all of it, between grey bars) [default: stretch]
    #[arg(long)]
    fit: Option<Fit>,
    /// The model takes blue, green and red
    #[arg(long)]
    bgr: bool,
    /// Prepare pictures as a `preprocessor_config.json` of Hugging Face says, but for other options that are given;
    /// they are scaled bilinearly
    #[arg(long, value_name = "FILE", value_parser = Preprocessor::read)]
    preprocessor: Option<Preprocessor>,
}

/// Statistics of the pixels that networks were trained on.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Statistics {
    /// Those of torchvision's and most of timm's networks
    Imagenet,
    /// Half each: networks of Google
    Inception,
    /// Those of CLIP
    Clip,
}

impl Statistics {
    /// Means, and standard deviations.
    fn numbers(self) -> [[f64; 3]; 2] {
        match self {
            Self::Imagenet => [[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]],
            Self::Inception => [[0.5; 3], [0.5; 3]],
            Self::Clip => [
                [0.481_454_66, 0.457_827_5, 0.408_210_73],
                [0.268_629_54, 0.261_302_58, 0.275_777_11],
            ],
        }
    }
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
        let config = self.preprocessor.as_ref();
        let [means, deviations] = match self.statistics {
            Some(statistics) => statistics.numbers().map(|numbers| numbers.to_vec()),
            None => [self.mean.clone(), self.std.clone()],
        };
        let listed = |given: Vec<f64>, configured: Option<&Vec<f64>>, key: &str, default: f64| {
            let stated = || {
                let numbers = model.metadata(key)?.trim_matches(['[', ']', '(', ')']).split(',');
                Some(numbers.filter_map(|n| n.trim().parse().ok()).collect::<Vec<f64>>())
            };
            let given = Some(given).filter(|given| !given.is_empty());
            let list = given.or(configured.cloned()).or_else(stated).unwrap_or_default();
            let number = |i| list.get(i).or(list.first()).copied().unwrap_or(default);
            (0..channels).map(number).collect()
        };
        let bytes = model.metadata("Image.NominalPixelRange") == Some("NominalRange_0_255")
            || DataType::as_str_name(&input.elem).contains("INT");
        let divisor = self.divisor.or(config.map(|config| config.divisor));
        Pixels {
            axes,
            height,
            width,
            divisor: divisor.unwrap_or(if bytes { 1.0 } else { 255.0 }),
            mean: listed(means, config.map(|config| &config.mean), "mean", 0.0),
            std: listed(deviations, config.map(|config| &config.std), "std", 1.0),
            fit: self.fit.or(config.map(|config| config.fit)).unwrap_or_default(),
            bgr: self.bgr || config.is_some_and(|config| config.bgr),
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
            let pixels = self.pixels(feeds.model, &input, axes);
            let picture = picture(path).and_then(|picture| pixels.fitted(picture));
            let picture = picture.map_err(Error::Other)?;
            Image { numbers: pixels.numbers(&picture), axes, picture: Some(picture) }
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
    fit: Fit,
    /// Whether blue comes first.
    bgr: bool,
}

/// How a picture fits an input of another shape.
#[derive(Debug, Clone, Copy, Default, PartialEq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
enum Fit {
    /// All of it, stretched.
    #[default]
    Stretch,
    /// The middle of it: as much of the edge that is shorter, for the shape of the input.
    Crop(f64),
    /// All of it, between grey bars.
    Letterbox,
}

impl FromStr for Fit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let part = |text: &str| text.parse().ok().filter(|part| *part > 0.0 && *part <= 1.0);
        match (text, text.strip_prefix("crop:").map(part)) {
            ("stretch", _) => Ok(Self::Stretch),
            ("crop", _) => Ok(Self::Crop(1.0)),
            ("letterbox", _) => Ok(Self::Letterbox),
            (_, Some(Some(part))) => Ok(Self::Crop(part)),
            (_, Some(None)) => Err("what is left of an edge is above 0 and up to 1".into()),
            _ => Err("not stretch, crop, crop:PART nor letterbox".into()),
        }
    }
}

/// What a `preprocessor_config.json` says.
#[derive(Debug, Clone)]
struct Preprocessor {
    divisor: f64,
    mean: Vec<f64>,
    std: Vec<f64>,
    fit: Fit,
    bgr: bool,
}

impl Preprocessor {
    fn read(path: &str) -> Result<Self, String> {
        /// Far longer than any.
        const LONGEST: u64 = 1 << 20;
        let bytes = file::read(path.as_ref(), LONGEST).map_err(|e| format!("{path}: {e}"))?;
        Self::parse(&bytes).map_err(|e| format!("{path}: {e}"))
    }

    /// What transformers' image processors make of such a file.
    fn parse(bytes: &[u8]) -> Result<Self, String> {
        /// An edge, by whatever name, or both.
        #[derive(serde::Deserialize)]
        #[serde(untagged)]
        enum Size {
            Exact { height: f64, width: f64 },
            Shortest { shortest_edge: f64 },
            Edge(f64),
        }
        #[derive(serde::Deserialize)]
        struct Config {
            do_resize: Option<bool>,
            size: Option<Size>,
            do_center_crop: Option<bool>,
            crop_size: Option<Size>,
            crop_pct: Option<f64>,
            do_pad: Option<bool>,
            do_rescale: Option<bool>,
            rescale_factor: Option<f64>,
            do_normalize: Option<bool>,
            image_mean: Option<Vec<f64>>,
            image_std: Option<Vec<f64>>,
            do_flip_channel_order: Option<bool>,
        }
        let config: Config = serde_json::from_slice(bytes).map_err(|e| e.to_string())?;
        if config.do_pad == Some(true) {
            return Err("pads pictures (do_pad), which --fit letterbox may come near".into());
        }
        let resized = config.size.filter(|_| config.do_resize != Some(false));
        let cropped = config.crop_size.filter(|_| config.do_center_crop != Some(false));
        let edge = |size: Size| match size {
            Size::Exact { height, width } => height.min(width),
            Size::Shortest { shortest_edge: edge } | Size::Edge(edge) => edge,
        };
        let fit = match (resized, cropped, config.crop_pct) {
            // As ConvNeXt does: the larger pictures are not cropped.
            (Some(size), _, Some(part)) => match edge(size) {
                edge if edge < 384.0 => Fit::Crop(part),
                _ => Fit::Stretch,
            },
            // A single number is the edge of a square, unless something is cropped from it.
            (Some(Size::Exact { .. } | Size::Edge(_)) | None, None, None) => Fit::Stretch,
            (Some(size), Some(crop), None) => Fit::Crop(edge(crop) / edge(size)),
            _ => return Err("leaves sizes to the picture; choose with --fit".into()),
        };
        if let Fit::Crop(part) = fit
            && !(part > 0.0 && part <= 1.0)
        {
            return Err("crops more than there is".into());
        }
        let of_normalised = |list: Option<Vec<f64>>| {
            list.filter(|_| config.do_normalize != Some(false)).unwrap_or_default()
        };
        let rescaled = config.do_rescale != Some(false);
        Ok(Self {
            divisor: if rescaled {
                1.0 / config.rescale_factor.unwrap_or(1.0 / 255.0)
            } else {
                1.0
            },
            mean: of_normalised(config.image_mean),
            std: of_normalised(config.image_std),
            fit,
            bgr: config.do_flip_channel_order == Some(true),
        })
    }
}

impl Pixels {
    /// A picture, cut or with bars, in the shape of the input.
    pub fn fitted(&self, picture: DynamicImage) -> Result<DynamicImage, String> {
        let (Some(rows), Some(columns)) = (self.height, self.width) else { return Ok(picture) };
        let [own_width, own_height] = [picture.width(), picture.height()].map(f64::from);
        let ratio = columns as f64 / rows as f64;
        let whole = |size: f64| (size.round() as u32).max(1);
        match self.fit {
            Fit::Stretch => Ok(picture),
            Fit::Crop(part) => {
                let height = own_height.min(own_width / ratio) * part;
                let (width, height) = (whole(height * ratio), whole(height));
                let [x, y] = [(own_width, width), (own_height, height)]
                    .map(|(own, left)| ((own - f64::from(left)) / 2.0).max(0.0) as u32);
                Ok(picture.crop_imm(x, y, width, height))
            }
            Fit::Letterbox => {
                let height = own_height.max(own_width / ratio);
                let (width, height) = (whole(height * ratio), whole(height));
                if u64::from(width) * u64::from(height) > PIXELS {
                    return Err(format!("{width} × {height} pixels with bars are too many"));
                }
                let mut all = RgbImage::from_pixel(width, height, Rgb([BAR; 3]));
                let [x, y] = [(width, picture.width()), (height, picture.height())]
                    .map(|(all, own)| i64::from((all - own.min(all)) / 2));
                imageops::overlay(&mut all, &picture.to_rgb8(), x, y);
                Ok(all.into())
            }
        }
    }

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
            let colour = if self.bgr { 2 - channel.min(2) } else { channel };
            let pixel = if mean.len() == 1 { grey[(x, y)][0] } else { rgb[(x, y)][colour] };
            (f64::from(pixel) * 255.0 / divisor - mean[channel]) / std[channel]
        })
    }
}

/// Reads a picture. Its header may say anything: what it would take is looked at before it is had.
pub fn picture(path: &Path) -> Result<DynamicImage, String> {
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Red on the left, green in the middle, blue on the right: 4 × 2 pixels each.
    fn flag() -> DynamicImage {
        let colour = |x: u32| Rgb([[255, 0, 0], [0, 255, 0], [0, 0, 255]][x as usize / 4]);
        RgbImage::from_fn(12, 2, |x, _| colour(x)).into()
    }

    fn pixels(fit: Fit, size: [usize; 2], bgr: bool) -> Pixels {
        let [height, width] = size.map(Some);
        let (mean, std) = (vec![0.0; 3], vec![1.0; 3]);
        Pixels { axes: [1, 2, 3], height, width, divisor: 255.0, mean, std, fit, bgr }
    }

    /// The three colours of a pixel of what is fed.
    fn at(numbers: &ArrayD<f64>, row: usize, column: usize) -> [u8; 3] {
        [0, 1, 2].map(|c| (numbers[[0, c, row, column]] * 255.0).round() as u8)
    }

    #[test]
    fn a_crop_is_the_middle_of_the_picture() {
        let crop = pixels(Fit::Crop(1.0), [2, 4], false);
        let numbers = crop.numbers(&crop.fitted(flag()).unwrap());
        assert!((0..4).all(|column| at(&numbers, 1, column) == [0, 255, 0]));
        // Half of the shorter edge: a single row, of two pixels.
        let part = pixels(Fit::Crop(0.5), [1, 2], false).fitted(flag()).unwrap();
        assert_eq!((part.width(), part.height()), (2, 1));
        // Where the picture has the input's shape, all of it is left.
        assert_eq!(pixels(Fit::Crop(1.0), [1, 6], false).fitted(flag()).unwrap(), flag());
    }

    #[test]
    fn a_letterbox_keeps_all_of_the_picture_between_bars() {
        let boxed = pixels(Fit::Letterbox, [12, 12], false);
        let numbers = boxed.numbers(&boxed.fitted(flag()).unwrap());
        assert_eq!([4, 5, 6, 7].map(|row| at(&numbers, row, 0)[1]), [114, 0, 0, 114]);
        assert_eq!(at(&numbers, 5, 11), [0, 0, 255]);
        // A picture that would be all bars is refused before they are drawn.
        let line: DynamicImage = RgbImage::new(1 << 14, 1).into();
        assert!(boxed.fitted(line).unwrap_err().contains("too many"));
    }

    #[test]
    fn blue_comes_first_where_a_model_takes_it_so() {
        let numbers = pixels(Fit::Stretch, [2, 12], true).numbers(&flag());
        assert_eq!(at(&numbers, 0, 0), [0, 0, 255]);
    }

    #[test]
    fn configurations_of_image_processors_are_read() {
        let parse = |text: &str| Preprocessor::parse(text.as_bytes());
        // ViT: resized to a square.
        let vit = parse(
            r#"{"do_normalize": true, "do_resize": true, "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5],
                "resample": 2, "size": {"height": 224, "width": 224}, "image_processor_type": "ViTImageProcessor"}"#,
        );
        let vit = vit.unwrap();
        assert_eq!((vit.fit, vit.bgr, vit.mean), (Fit::Stretch, false, vec![0.5; 3]));
        assert!((vit.divisor - 255.0).abs() < 1e-9);
        // CLIP and ResNet as torchvision has it: the shorter edge, and the middle of that.
        let crop = |edge: u32| {
            format!(
                r#"{{"do_resize": true, "size": {{"shortest_edge": {edge}}}, "do_center_crop": true,
                     "crop_size": {{"height": 224, "width": 224}}, "rescale_factor": 0.00392156862745098}}"#
            )
        };
        assert_eq!(parse(&crop(224)).unwrap().fit, Fit::Crop(1.0));
        assert_eq!(parse(&crop(256)).unwrap().fit, Fit::Crop(0.875));
        assert!(parse(&crop(200)).unwrap_err().contains("crops more"));
        // ConvNeXt, at both sizes; an old file, of a single number; MobileViT.
        let convnext = |edge: u32| {
            parse(&format!(r#"{{"size": {{"shortest_edge": {edge}}}, "crop_pct": 0.875}}"#))
                .unwrap()
                .fit
        };
        assert_eq!((convnext(224), convnext(384)), (Fit::Crop(0.875), Fit::Stretch));
        assert_eq!(parse(r#"{"size": 384}"#).unwrap().fit, Fit::Stretch);
        assert!(
            parse(r#"{"size": 288, "crop_size": 256, "do_flip_channel_order": true}"#).unwrap().bgr
        );
        let raw = parse(r#"{"do_rescale": false, "do_normalize": false, "image_mean": [1, 1, 1]}"#)
            .unwrap();
        assert!((raw.divisor - 1.0).abs() < 1e-9 && raw.mean.is_empty());
        // Sizes that depend on the picture.
        assert!(
            parse(r#"{"size": {"shortest_edge": 800, "longest_edge": 1333}}"#)
                .unwrap_err()
                .contains("--fit")
        );
        assert!(parse(r#"{"do_pad": true}"#).unwrap_err().contains("letterbox"));
    }
}
