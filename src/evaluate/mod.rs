//! Which rule is faithful: maps of several rules on a model and data, measured side by side.
//!
//! Every sample is explained for one class, the predicted one or its label, and the *score* is the probability of that
//! class: the softmax of the explained scores (their sigmoid where there is one alone), or what the model's own final
//! Softmax, `LogSoftmax` or Sigmoid says. [`flip`] defines the curves and their gap, [`localise`] and [`gae`] the others.

pub mod flip;
pub mod gae;
pub mod localise;
mod network;

use std::ops::ControlFlow;

use ndarray::{ArrayD, Axis};
use serde::Serialize;

use crate::{
    onnx::{Model, shown::Shown},
    options::{Init, Options, Target},
    rules::Choice,
    verify::{self, runtime::Locate, session::Device},
};
use flip::Regions;
use gae::Gae;
use localise::{Localisation, localisation};
use network::{Feeds, Network, Row};

/// How many steps of masking GAE takes, as in its authors' release.
const GAE_STEPS: usize = 10;

/// What can keep a model from being evaluated.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The data do not fit the model, or what was asked.
    #[error("the data do not fit: {what}")]
    Data {
        /// What was expected, and what came.
        what: String,
    },
    /// The model has no score of a class that could be followed.
    #[error("{what}")]
    Model {
        /// Why, and what to do.
        what: String,
    },
    /// Whoever is told of the progress wants no more of it.
    #[error("stopped before it was done")]
    Stopped,
    /// It cannot be run.
    #[error(transparent)]
    Run(#[from] verify::Error),
    /// It cannot be explained.
    #[error(transparent)]
    Lrp(#[from] crate::Error),
}

/// What a model is evaluated on.
#[derive(Debug, Clone, Default)]
pub struct Data {
    /// Arrays by the names of inputs, with samples along axis 0. One array without a name is that of the explained
    /// input.
    pub inputs: Vec<(Option<String>, ArrayD<f64>)>,
    /// The class of each sample.
    pub labels: Option<Vec<usize>>,
    /// Where the object is: positive within. Of the explained input's shape, or without its channels.
    pub masks: Option<ArrayD<f64>>,
}

/// What is replaced together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum By {
    /// Squares of an image.
    Patches,
    /// Positions along axis 1, with all that lies there.
    Tokens,
    /// Every element by itself.
    Features,
}

/// What regions are replaced by.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Replace {
    /// The mean over the data, per channel of an image and per feature of anything else.
    Mean,
    /// Zero.
    Zero,
    /// The image, blurred: by a Gaussian whose standard deviation is an eighth of the shorter side.
    Blur,
    /// A number, such as the id of a mask token.
    Value(f64),
}

impl std::fmt::Display for Replace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Mean => f.write_str("mean"),
            Self::Zero => f.write_str("zero"),
            Self::Blur => f.write_str("blur"),
            Self::Value(value) => value.fmt(f),
        }
    }
}

impl std::str::FromStr for Replace {
    type Err = crate::ParseError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text {
            "mean" => Self::Mean,
            "zero" => Self::Zero,
            "blur" => Self::Blur,
            other => match other.parse() {
                Ok(value) if f64::is_finite(value) => Self::Value(value),
                _ => return Err(format!("'{other}' is not mean, zero, blur or a number").into()),
            },
        })
    }
}

/// What to measure, and how.
#[derive(Debug, Clone)]
pub struct Request {
    /// What is compared, beside random and gradient × input: names, and how each explains. The target is set here.
    pub methods: Vec<(String, Options)>,
    /// What is replaced together; by default patches of an image, and features of anything else.
    pub by: Option<By>,
    /// The size of a patch in pixels; by default a sixteenth of the shorter side.
    pub patch: Option<usize>,
    /// What regions are replaced by; by default the mean. Integer inputs need a value.
    pub replace: Option<Replace>,
    /// In how many steps all regions are replaced.
    pub steps: usize,
    /// Whether samples are explained for their labels, in place of the predicted classes.
    pub by_label: bool,
    /// Whether GAE is measured, which takes images, at least four.
    pub gae: bool,
    /// How many samples run at once, where the model leaves it open.
    pub batch: usize,
    /// The axes of channels, height and width of the explained input, if it is an image.
    pub image: Option<[usize; 3]>,
    /// Where random maps, ties and mosaics come from.
    pub seed: u64,
    /// Where to run.
    pub device: Device,
    /// Where ONNX Runtime is.
    pub runtime: Locate,
}

/// What one method is worth on the data.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MethodReport {
    /// The rule or composite.
    pub method: String,
    /// The mean score after each step, most relevant first.
    pub morf: Vec<f64>,
    /// The mean score after each step, least relevant first.
    pub lerf: Vec<f64>,
    /// The areas under them.
    pub areas: [f64; 2],
    /// The area of LeRF less that of MoRF: the larger, the more faithful; about 0 for random.
    pub gap: f64,
    /// The standard error of the gap over the samples.
    pub gap_error: f64,
    /// Whether the maps find the object, where masks are given.
    pub localisation: Option<Localisation>,
    /// The authors' score, where it is measured.
    pub gae: Option<Gae>,
}

/// What was measured.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// The explained input.
    pub input: String,
    /// The number of samples.
    pub samples: usize,
    /// How many of the predicted classes are the labels, where there are labels.
    pub accuracy: Option<f64>,
    /// What is replaced together.
    pub by: By,
    /// How many regions an input has.
    pub regions: usize,
    /// What they are replaced by.
    pub replace: Replace,
    /// The share of the regions that is replaced at each step.
    pub shares: Vec<f64>,
    /// What each method is worth, from the largest gap to the smallest.
    pub methods: Vec<MethodReport>,
}

/// Numbers that look random, the same on every machine: `SplitMix64` (Steele et al. 2014).
pub(crate) struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number from 0 up to 1.
    pub fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    /// 0, 1, … in any order (Fisher and Yates).
    pub fn permutation(&mut self, n: usize) -> Vec<usize> {
        let mut order: Vec<_> = (0..n).collect();
        for i in (1..n).rev() {
            order.swap(i, (self.uniform() * (i + 1) as f64) as usize);
        }
        order
    }
}

/// The axes of channels, height and width of an input of four axes: behind the batch, with the channels first
/// unless only the last axis has a number of channels, 1 or 3.
pub fn image_axes(shape: &[Option<usize>]) -> Option<[usize; 3]> {
    let &[_, second, _, fourth] = shape else { return None };
    Some(match (second, fourth) {
        (Some(1 | 3), _) => [1, 2, 3],
        (_, Some(1 | 3)) => [3, 1, 2],
        _ => [1, 2, 3],
    })
}

/// Measures how faithful rules are on a model and data. `progress` is told how much is done, of how much, and says
/// whether to go on.
pub fn evaluate(
    model: &Model,
    data: &Data,
    request: &Request,
    progress: &dyn Fn(u64, u64) -> ControlFlow<()>,
) -> Result<Report, Error> {
    let gradient = "gradient-x-input".parse();
    let gradient: Choice =
        gradient.map_err(|e: crate::ParseError| Error::Model { what: e.to_string() })?;
    let baseline = Options {
        rule: gradient,
        // The gradient itself: its sign is not to depend on that of the score.
        init: Init::One,
        ..request.methods.first().map(|(_, options)| options.clone()).unwrap_or_default()
    };
    let baseline = Options { composite: None, contrastive: false, ..baseline };
    let explained = |options: &Options| {
        let options = Options { target: Target::Input, ..options.clone() };
        Network::explained(model, &options, request)
    };
    let mut gradient = explained(&baseline)?;
    let mut plain = gradient.plain(model, request)?;
    let name = gradient.input.name.clone();
    let samples = Samples::new(&gradient, data, request)?;
    let n = samples.count();

    // The predicted classes, and how often they are right.
    let any: Vec<_> = (0..n).map(|sample| samples.row(sample, 0)).collect();
    let scores = plain.scores(&samples.feeds, &any)?;
    let predicted: Vec<_> = scores.iter().map(|scores| argmax(scores)).collect();
    let accuracy = data.labels.as_ref().map(|labels| {
        labels.iter().zip(&predicted).filter(|(label, class)| label == class).count() as f64
            / n as f64
    });
    let known = scores.first().map_or(0, Vec::len);
    if let Some(label) = data.labels.iter().flatten().find(|&&label| label >= known) {
        return Err(Error::Data {
            what: format!("a label is {label}, and the model has {known} classes, from 0"),
        });
    }
    let classes = match (&data.labels, request.by_label) {
        (Some(labels), true) => labels.clone(),
        (None, true) => return Err(Error::Data { what: "there are no labels".into() }),
        (_, false) => predicted.clone(),
    };

    let mosaics = if request.gae {
        Mosaic::draw(&mut plain, &mut gradient, &samples, data, &predicted, request)?
    } else {
        vec![]
    };
    let random = ("random".to_string(), None);
    let rules = request.methods.iter().map(|(name, options)| (name.clone(), Some(options.clone())));
    let methods: Vec<_> =
        rules.chain([("gradient-x-input".to_string(), Some(baseline.clone())), random]).collect();
    let rows = n * 2 * (request.steps + 1);
    let total = (methods.len() * rows) as u64;
    let mut done = 0;
    let mut reports = Vec::new();
    for (method, options) in methods {
        let mut network = options.as_ref().map(explained).transpose()?;
        let mut random = Random::new(request.seed);
        let mut maps = |rows: &[Row]| -> Result<Vec<Vec<f64>>, Error> {
            match &mut network {
                Some(network) => network.maps(&samples.feeds, rows),
                None => Ok(rows
                    .iter()
                    .map(|row| row.x.iter().map(|_| random.uniform()).collect())
                    .collect()),
            }
        };
        let explained: Vec<_> = (0..n).map(|sample| samples.row(sample, classes[sample])).collect(); // one class per sample
        let found = maps(&explained)?;
        if let Some(place) = found.iter().position(|map| map.iter().any(|v| !v.is_finite())) {
            let what = format!("the map of sample {place} by {method} is not finite");
            return Err(Error::Model { what });
        }
        let mut report = samples.flip(&mut plain, &found, &classes, request, &mut |rows| {
            done += rows as u64;
            progress(done.min(total.saturating_sub(1)), total)
        })?;
        report.method = method;
        report.localisation = samples.localisation(&found);
        let scores =
            mosaics.iter().map(|mosaic| mosaic.score(&mut maps)).collect::<Result<Vec<_>, _>>()?;
        report.gae = Gae::mean(&scores);
        reports.push(report);
    }
    let _ = progress(total, total);
    reports.sort_by(|a, b| b.gap.total_cmp(&a.gap));
    Ok(Report {
        input: name,
        samples: n,
        accuracy,
        by: samples.by,
        regions: samples.regions.count(),
        replace: samples.replace,
        shares: flip::shares(samples.regions.count(), request.steps),
        methods: reports,
    })
}

/// The place of the largest, the first of several.
fn argmax(values: &[f64]) -> usize {
    let best = values.iter().enumerate().rev().max_by(|a, b| a.1.total_cmp(b.1));
    best.map_or(0, |(place, _)| place)
}

/// The data, checked against the model.
struct Samples {
    /// The explained input.
    x: Vec<Vec<f64>>,
    /// Its shape, and what the other inputs are fed.
    feeds: Feeds,
    /// What regions of each sample are replaced by.
    replacement: Vec<Vec<f64>>,
    regions: Regions,
    by: By,
    replace: Replace,
    /// The axes of channels, height and width in `shape`.
    image: Option<[usize; 3]>,
    /// Where the object is in each sample, without channels.
    masks: Option<Vec<Vec<bool>>>,
}

impl Samples {
    fn new(network: &Network, data: &Data, request: &Request) -> Result<Self, Error> {
        let refuse = |what: String| Err(Error::Data { what });
        let input = &network.input;
        let shown = Shown(&input.name);
        let expected = network.expected(&input.name);
        let mut x = None;
        let mut others = Vec::new();
        for (name, array) in &data.inputs {
            if name.as_ref().is_none_or(|name| *name == input.name) {
                x = Some(array);
            } else if let Some(name) = name {
                others.push((name.clone(), array.clone()));
            }
        }
        let Some(x) = x else {
            let has: Vec<_> = data.inputs.iter().filter_map(|(name, _)| name.as_deref()).collect();
            return refuse(format!(
                "the input {shown} is expected, and there are: {}",
                Shown(&has.join(", "))
            ));
        };
        let n = x.shape().first().copied().unwrap_or(0);
        if n == 0 {
            return refuse("there are no samples".into());
        }
        for (name, array) in others.iter().map(|(n, a)| (n, a)).chain([(&input.name, x)]) {
            network.fits(name, array)?;
            if array.shape().first() != Some(&n) {
                return refuse(format!(
                    "{shown} has {n} samples, and {} is of shape {:?}",
                    Shown(name),
                    array.shape()
                ));
            }
            if let Some((place, _)) =
                array.outer_iter().enumerate().find(|(_, s)| s.iter().any(|v| !v.is_finite()))
            {
                return refuse(format!(
                    "sample {place} of {} holds NaN or an infinity",
                    Shown(name)
                ));
            }
        }
        if let Some(missing) = network.missing(&others) {
            return refuse(format!(
                "the model also has the input {}; give it in an .npz file",
                Shown(&missing)
            ));
        }
        if let Some(labels) = &data.labels
            && labels.len() != n
        {
            return refuse(format!(
                "{n} labels are expected, one per sample, and there are {}",
                labels.len()
            ));
        }
        let shape = x.shape()[1..].to_vec(); // with axis 0, as seen above
        let image = match request.image {
            Some(axes) if shape.len() == 3 => Some(axes.map(|axis| axis - 1)), // behind the batch
            _ => None,
        };
        let by = request.by.unwrap_or(if image.is_some() { By::Patches } else { By::Features });
        let regions = match (by, image) {
            (By::Patches, Some([_, h, w])) => {
                let side = shape[h].min(shape[w]); // the axes of an image
                Regions::patches(&shape, [h, w], request.patch.unwrap_or(side.div_ceil(16)))
            }
            (By::Patches, None) => {
                return refuse(format!(
                    "patches are those of images, and {shown} is of {expected}"
                ));
            }
            (By::Tokens, _) => Regions::positions(&shape, 0),
            (By::Features, _) => Regions::elements(&shape),
        };
        let replace = match request.replace {
            Some(replace) => replace,
            None if network.is_integer() && image.is_none() => {
                return Err(Error::Model {
                    what: format!(
                        "{shown} has integers, which have no mean; name the id of a mask token with --replace"
                    ),
                });
            }
            None => Replace::Mean,
        };
        let rows: Vec<Vec<f64>> =
            x.outer_iter().map(|sample| sample.iter().copied().collect()).collect();
        let replacement = match replace {
            Replace::Zero => vec![vec![0.0; rows[0].len()]; n], // there are samples
            Replace::Value(value) => vec![vec![value; rows[0].len()]; n], // there are samples
            Replace::Mean => vec![means(x, image); n],
            Replace::Blur => match image {
                Some([_, h, w]) => rows.iter().map(|row| blurred(row, &shape, [h, w])).collect(),
                None => return refuse(format!("blur is for images, and {shown} is of {expected}")),
            },
        };
        let masks = match &data.masks {
            None => None,
            Some(masks) => {
                let mut positions = x.shape().to_vec();
                let channels = image.map(|[c, ..]| c + 1).filter(|_| masks.shape() != x.shape());
                if let Some(c) = channels {
                    positions.remove(c);
                }
                if masks.shape() != positions {
                    return refuse(format!(
                        "masks of shape {positions:?} are expected, and they are of {:?}",
                        masks.shape()
                    ));
                }
                let masks = match (channels, image) {
                    // An object is where any channel says so.
                    (None, Some([c, ..])) => {
                        masks.map_axis(Axis(c + 1), |v| v.iter().copied().fold(f64::MIN, f64::max))
                    }
                    _ => masks.clone(),
                };
                Some(
                    masks
                        .outer_iter()
                        .map(|mask| mask.iter().map(|&v| v > 0.0).collect())
                        .collect(),
                )
            }
        };
        Ok(Self {
            x: rows,
            feeds: Feeds { others, shape },
            replacement,
            regions,
            by,
            replace,
            image,
            masks,
        })
    }

    fn count(&self) -> usize {
        self.x.len()
    }

    /// A sample as it is.
    fn row(&self, sample: usize, class: usize) -> Row {
        Row { sample, class, x: self.x[sample].clone() } // below the count
    }

    /// The curves of a method's maps, sample by sample, so that no more is held than one needs.
    fn flip(
        &self,
        network: &mut Network,
        maps: &[Vec<f64>],
        classes: &[usize],
        request: &Request,
        done: &mut dyn FnMut(usize) -> ControlFlow<()>,
    ) -> Result<MethodReport, Error> {
        let n = self.count();
        let shares = flip::shares(self.regions.count(), request.steps);
        let mut curves = [vec![0.0; shares.len()], vec![0.0; shares.len()]];
        let mut areas = [0.0; 2];
        let mut gaps = Vec::new();
        for (sample, (map, &class)) in maps.iter().zip(classes).enumerate() {
            let mut random =
                Random::new(request.seed ^ (sample as u64).wrapping_mul(0x2545_f491_4f6c_dd1d));
            let shuffled = random.permutation(self.regions.count());
            let mut order = flip::ranking(&self.regions.sums(map), &shuffled);
            let mut both = [0.0; 2];
            let (x, by) = (&self.x[sample], &self.replacement[sample]); // one of each per sample
            for side in 0..2 {
                let inputs = flip::inputs(&self.regions, x, by, &order, request.steps);
                let rows: Vec<_> = inputs.map(|x| Row { sample, class, x }).collect();
                let scores = network.scores(&self.feeds, &rows)?;
                let curve: Vec<_> = scores.iter().map(|s| network.probability(s, class)).collect();
                both[side] = flip::area(&shares, &curve); // two sides
                areas[side] += both[side] / n as f64;
                curves[side].iter_mut().zip(&curve).for_each(|(mean, p)| *mean += p / n as f64);
                order.reverse();
                if done(rows.len()).is_break() {
                    return Err(Error::Stopped);
                }
            }
            gaps.push(both[1] - both[0]); // LeRF and MoRF
        }
        let gap = areas[1] - areas[0]; // LeRF and MoRF
        let variance =
            gaps.iter().map(|g| (g - gap).powi(2)).sum::<f64>() / (n as f64 - 1.0).max(1.0);
        let [morf, lerf] = curves;
        Ok(MethodReport {
            method: String::new(),
            morf,
            lerf,
            areas,
            gap,
            gap_error: (variance / n as f64).sqrt(),
            localisation: None,
            gae: None,
        })
    }

    /// How well maps find the objects; the mean over the samples with one.
    fn localisation(&self, maps: &[Vec<f64>]) -> Option<Localisation> {
        let masks = self.masks.as_ref()?;
        let found = maps.iter().zip(masks).filter_map(|(map, mask)| {
            let map = match self.image {
                Some([c, ..]) => {
                    let map = ArrayD::from_shape_vec(self.feeds.shape.clone(), map.clone()).ok()?;
                    map.sum_axis(Axis(c)).iter().copied().collect()
                }
                None => map.clone(),
            };
            localisation(&map, mask)
        });
        let found: Vec<_> = found.collect();
        let mean =
            |of: fn(&Localisation) -> f64| found.iter().map(of).sum::<f64>() / found.len() as f64;
        (!found.is_empty()).then(|| Localisation { mass: mean(|l| l.mass), rank: mean(|l| l.rank) })
    }
}

/// The mean over the data: per channel of images, per element of anything else.
fn means(x: &ArrayD<f64>, image: Option<[usize; 3]>) -> Vec<f64> {
    let shape = &x.shape()[1..]; // with axis 0
    let Some(mean) = x.mean_axis(Axis(0)) else { return vec![0.0; shape.iter().product()] };
    let Some([c, ..]) = image else { return mean.iter().copied().collect() };
    let channels: Vec<_> =
        mean.axis_iter(Axis(c)).map(|plane| plane.mean().unwrap_or(0.0)).collect();
    mean.indexed_iter().map(|(at, _)| channels[at[c]]).collect() // one per channel
}

/// An image under a Gaussian; beyond its edges it goes on as it ends.
fn blurred(image: &[f64], shape: &[usize], axes: [usize; 2]) -> Vec<f64> {
    let Ok(mut array) = ArrayD::from_shape_vec(shape.to_vec(), image.to_vec()) else {
        return image.to_vec();
    };
    let deviation = axes.iter().map(|&axis| shape[axis]).min().unwrap_or(1) as f64 / 8.0; // axes of the image
    let reach = (3.0 * deviation).ceil() as isize;
    let kernel: Vec<_> =
        (-reach..=reach).map(|i| (-0.5 * (i as f64 / deviation).powi(2)).exp()).collect();
    let sum: f64 = kernel.iter().sum();
    for axis in axes {
        for mut lane in array.lanes_mut(Axis(axis)) {
            let line = lane.to_vec();
            let last = line.len() as isize - 1;
            for (place, value) in lane.iter_mut().enumerate() {
                let around =
                    (-reach..=reach).map(|i| line[(place as isize + i).clamp(0, last) as usize]);
                *value = around.zip(&kernel).map(|(v, k)| v * k / sum).sum();
            }
        }
    }
    array.iter().copied().collect()
}

/// Maps of rows by one method.
type Explain<'m> = dyn FnMut(&[Row]) -> Result<Vec<Vec<f64>>, Error> + 'm;

/// A positive image and a mosaic with what the model does as they are masked; the same for all methods.
struct Mosaic {
    /// The positive, what MoRF and LeRF leave of it, and the mosaic, in that order.
    rows: Vec<Row>,
    /// The scores after each step of MoRF and of LeRF.
    scores: [Vec<f64>; 2],
    /// The score of the positive.
    score: f64,
    impact: Vec<f64>,
    score_map: Vec<f64>,
}

impl Mosaic {
    /// Draws mosaics of four samples each; what is left over is not used.
    fn draw(
        network: &mut Network,
        gradient: &mut Network,
        samples: &Samples,
        data: &Data,
        predicted: &[usize],
        request: &Request,
    ) -> Result<Vec<Self>, Error> {
        let Some([_, h, w]) = samples.image else {
            return Err(Error::Data {
                what: "GAE is for images, which a mosaic can be made of".into(),
            });
        };
        if samples.count() < 4 || samples.feeds.shape[h].min(samples.feeds.shape[w]) < 2 {
            return Err(Error::Data {
                what: "GAE takes four images of at least 2 × 2 pixels".into(),
            });
        }
        let mut random = Random::new(request.seed);
        let order = random.permutation(samples.count());
        let mut mosaics = Vec::new();
        for four in order.chunks_exact(4) {
            // `four` has four places of samples, here and below.
            let of = |quarter: usize| four[quarter];
            let images = [0, 1, 2, 3].map(|quarter| samples.x[of(quarter)].as_slice());
            let x = gae::mosaic(images, &samples.feeds.shape, [h, w]);
            let mut mosaic = Row { sample: of(0), class: 0, x };
            let scores = network.scores(&samples.feeds, std::slice::from_ref(&mosaic))?.concat();
            let logits = [0, 1, 2, 3].map(|q| scores[predicted[of(q)]]);
            let quarter = drawn(&softmax(&logits), random.uniform());
            let sample = of(quarter);
            let class = predicted[sample];
            (mosaic.sample, mosaic.class) = (sample, class);
            let positive = samples.row(sample, class);
            let scores = network.scores(&samples.feeds, std::slice::from_ref(&positive))?.concat();
            // What speaks for the class of each quarter, where the positive is looked at.
            let label =
                |q: usize| data.labels.as_ref().map_or(predicted[of(q)], |labels| labels[of(q)]);
            let p = |q: usize| network.probability(&scores, label(q));
            let values = [0, 1, 2, 3].map(|q| 2.0 * p(q) / p(quarter).max(f64::MIN_POSITIVE) - 1.0);

            let mut rows = vec![positive.clone()];
            let mut impacts = [Vec::new(), Vec::new()];
            let mut outputs = [Vec::new(), Vec::new()];
            for (side, largest) in [true, false].into_iter().enumerate() {
                let mut row = positive.clone();
                for step in 1..=GAE_STEPS {
                    let one = std::slice::from_ref(&row);
                    let impact = gae::magnitudes(&gradient.maps(&samples.feeds, one)?.concat());
                    let scores = network.scores(&samples.feeds, one)?.concat();
                    if step > 1 {
                        rows.push(row.clone());
                        outputs[side].push(scores[class]); // a class that was predicted
                    }
                    row.x = gae::mask(&row.x, &impact, step as f32 / GAE_STEPS as f32, largest);
                    impacts[side].push(impact); // two sides
                }
            }
            rows.push(mosaic);
            let [morf, lerf] = impacts;
            mosaics.push(Self {
                rows,
                scores: outputs,
                score: scores[class], // a class that was predicted
                impact: gae::impact_map(&morf, &lerf),
                score_map: gae::score_mosaic(values, &samples.feeds.shape, [h, w]),
            });
        }
        Ok(mosaics)
    }

    /// What a method's maps of it are worth.
    fn score(&self, maps: &mut Explain<'_>) -> Result<Gae, Error> {
        let maps: Vec<_> = maps(&self.rows)?.iter().map(|map| gae::positive(map)).collect();
        // As many maps as rows, in their order.
        let ([map, steps @ ..], [morf, lerf]) = (maps.as_slice(), &self.scores) else {
            return Ok(Gae::default());
        };
        let ([steps @ .., mosaic], half) = (steps, morf.len()) else { return Ok(Gae::default()) };
        let (first, second) = steps.split_at(half);
        let faithfulness = gae::overlap(map, &self.impact);
        let robustness = gae::robustness(map, self.score, [first, second], [morf, lerf]);
        Ok(Gae::of(faithfulness, robustness, gae::overlap(mosaic, &self.score_map)))
    }
}

/// The place that a number from 0 to 1 falls to.
fn drawn(probabilities: &[f64], mut at: f64) -> usize {
    for (place, p) in probabilities.iter().enumerate() {
        at -= p;
        if at < 0.0 {
            return place;
        }
    }
    probabilities.len().saturating_sub(1)
}

/// `eˣ / Σ eˣ`.
fn softmax(x: &[f64]) -> Vec<f64> {
    let most = x.iter().copied().fold(f64::MIN, f64::max);
    let exp: Vec<_> = x.iter().map(|v| (v - most).exp()).collect();
    let sum: f64 = exp.iter().sum();
    exp.iter().map(|v| v / sum).collect()
}
