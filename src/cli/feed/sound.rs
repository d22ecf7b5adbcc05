//! Recordings and other series of numbers, as models take them.

use std::{fmt::Write, io::Cursor, path::Path};

use abslrp::{
    onnx::file,
    verify::session::{Array, Input},
};
use hound::{SampleFormat, WavReader};
use ndarray::{Array2, ArrayD, Axis, Ix1, Ix2};

use super::{Error, Feeds, image::Image, is_float, resample::resample, text};
use crate::show::wave::{Along, Series};

/// How recordings are read.
#[derive(Debug, Clone, clap::Args)]
#[group(skip)]
pub struct Given {
    /// The sample rate that the model expects, in hertz: recordings at another one are resampled [default: metadata
    /// `sample_rate` or `sampling_rate`, or the recording's own]
    #[arg(long, value_name = "HERTZ", value_parser = rate)]
    rate: Option<f64>,
    /// Take the mean of a recording's channels
    #[arg(long)]
    mono: bool,
}

/// A sample rate.
fn rate(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(rate) if (1.0..=1e9).contains(&rate) => Ok(rate),
        _ => Err("not a sample rate in hertz, such as 16000".into()),
    }
}

/// More channels than that are rows of a picture, such as a spectrogram.
const CHANNELS: usize = 16;

/// A recording that is fed.
pub struct Sound {
    /// By channel, as the model sees it.
    channels: Array2<f64>,
    names: Vec<String>,
    /// Whether channels are the last axis of the input, not that before the last.
    last: bool,
    along: Along,
    /// What was done to it, in words.
    note: Option<String>,
    /// The file, to be played.
    wav: Option<Vec<u8>>,
}

/// What was read: channels by time.
struct Recording {
    channels: Array2<f64>,
    rate: f64,
}

/// Whether an input may be of a series, or of several side by side.
pub fn is_series(input: &Input) -> bool {
    is_float(input) && (1..=3).contains(&input.shape.len())
}

/// Whether channels of an input are its last axis, as Keras has them.
fn channels_last(input: &Input) -> bool {
    let is_few = |n: Option<usize>| n.is_some_and(|n| n <= CHANNELS);
    matches!(input.shape.as_slice(), [_, time, channels] if is_few(*channels) && !is_few(*time))
}

/// What is fed: a recording, or where there are too many channels the picture of one.
pub enum Fed {
    Sound(Box<Sound>),
    Image(Image),
}

impl Given {
    /// Feeds a `.wav` file, or a series in an `.npy` file. Gives the input that it goes to.
    pub fn feed(
        &self,
        feeds: &mut Feeds<'_>,
        path: &Path,
        names: &[String],
    ) -> Result<(Fed, String), Error> {
        let input = feeds.only("a recording ([N, time] or [N, channels, time])", |input| {
            is_series(input) && !text::is_companion(input)
        })?;
        let stated =
            ["sample_rate", "sampling_rate"].into_iter().find_map(|key| feeds.model.metadata(key));
        let wanted = self.rate.or_else(|| stated.and_then(|rate| rate.parse().ok()));
        let is_npy = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("npy"));
        let (channels, along, note, wav) = if is_npy {
            (self.npy(&input, path)?, Along { rate: wanted }, None, None)
        } else {
            let (recording, bytes) = read(path)?;
            let (recording, note) = self.prepared(recording, wanted);
            (recording.channels, Along { rate: Some(recording.rate) }, Some(note), Some(bytes))
        };
        let last = channels_last(&input);
        let numbers = arranged(&input, &channels, last)?;
        feeds.feed_numbers(&input, &numbers)?;
        text::feed_companions(feeds, channels.ncols(), &[], channels.ncols())?;
        if channels.nrows() > CHANNELS {
            return Ok((Fed::Image(Image::of_rows(&channels)), input.name));
        }
        if !names.is_empty() && names.len() != channels.nrows() {
            return Err(Error::Names {
                names: names.len(),
                what: "channels",
                count: channels.nrows(),
            });
        }
        let name = |i: usize| match names.get(i) {
            Some(name) => name.clone(),
            None if channels.nrows() == 1 => input.name.clone(),
            None => format!("channel {i}"),
        };
        let names = (0..channels.nrows()).map(name).collect();
        let sound = Sound { channels, names, last, along, note, wav };
        Ok((Fed::Sound(Box::new(sound)), input.name))
    }

    /// A recording as the model takes it, and what was done to it.
    fn prepared(&self, recording: Recording, wanted: Option<f64>) -> (Recording, String) {
        let Recording { mut channels, rate } = recording;
        let count = channels.nrows();
        let mut note = format!("{} samples at {rate} Hz", channels.ncols());
        if self.mono && count > 1 {
            // There is at least one channel, so that there is a mean.
            channels = channels.mean_axis(Axis(0)).unwrap_or_default().insert_axis(Axis(0));
            let _ = write!(note, ", the mean of {count} channels");
        }
        let Some(wanted) = wanted else {
            note += "; --rate says what the model expects, if it is another";
            return (Recording { channels, rate }, note);
        };
        if (wanted - rate).abs() > f64::EPSILON * rate {
            let lines: Vec<_> =
                channels.outer_iter().map(|line| resample(&line.to_vec(), rate, wanted)).collect();
            let length = lines.first().map_or(0, Vec::len);
            // All lines are as long as the first.
            channels = Array2::from_shape_fn((lines.len(), length), |(c, i)| lines[c][i]);
            let _ = write!(note, ", resampled to {wanted} Hz");
        }
        (Recording { channels, rate: wanted }, note)
    }

    /// The series in an `.npy` file, as channels by time.
    fn npy(&self, input: &Input, path: &Path) -> Result<Array2<f64>, Error> {
        let mut numbers = Array::read(path)?;
        let came = numbers.shape().to_vec();
        // A batch of one may be there or left out.
        while numbers.ndim() > 2 && numbers.shape()[0] == 1 {
            numbers = numbers.index_axis_move(Axis(0), 0);
        }
        let channels = match numbers.ndim() {
            1 => numbers.insert_axis(Axis(0)).into_dimensionality::<Ix2>().ok(),
            2 if channels_last(input) => numbers.reversed_axes().into_dimensionality::<Ix2>().ok(),
            2 => numbers.into_dimensionality::<Ix2>().ok(),
            _ => None,
        };
        let channels = channels.filter(|channels| !channels.is_empty());
        let mut channels = channels.ok_or_else(|| Error::Shape {
            input: input.clone(),
            what: "the series",
            came,
        })?;
        if self.mono && channels.nrows() > 1 {
            channels = channels.mean_axis(Axis(0)).unwrap_or_default().insert_axis(Axis(0));
        }
        Ok(channels)
    }
}

/// Channels as an input takes them.
fn arranged(input: &Input, channels: &Array2<f64>, last: bool) -> Result<ArrayD<f64>, Error> {
    let (count, length) = channels.dim();
    let size = |axis: usize| input.shape.get(axis).copied().flatten();
    let (expected, along) = match input.shape.len() {
        3 if last => (size(2), size(1)),
        3 => (size(1), size(2)),
        rank => (Some(1), size(rank - 1)),
    };
    if let Some(expected) = expected.filter(|expected| *expected != count) {
        return Err(Error::Channels { input: input.name.clone(), expected, came: count });
    }
    if let Some(expected) = along.filter(|expected| *expected != length) {
        return Err(Error::Length { input: input.name.clone(), expected, came: length });
    }
    let numbers = match input.shape.len() {
        3 if last => channels.t().to_owned().into_dyn().insert_axis(Axis(0)),
        3 => channels.clone().into_dyn().insert_axis(Axis(0)),
        2 => channels.clone().into_dyn(),
        _ => channels.index_axis(Axis(0), 0).to_owned().into_dyn(),
    };
    match size(0) {
        Some(batch) if input.shape.len() > 1 && batch != 1 => Err(Error::Shape {
            input: input.clone(),
            what: "the recording",
            came: numbers.shape().to_vec(),
        }),
        _ => Ok(numbers),
    }
}

/// Reads a `.wav` file, with its bytes: samples of −1 to 1.
fn read(path: &Path) -> Result<(Recording, Vec<u8>), Error> {
    /// Hours of it.
    const LONGEST: u64 = 1 << 31;
    let refuse = |why: String| Error::Wav { why };
    let bytes = file::read(path, LONGEST).map_err(|e| refuse(e.to_string()))?;
    let mut reader = WavReader::new(Cursor::new(&bytes)).map_err(|e| refuse(e.to_string()))?;
    let spec = reader.spec();
    let samples: Result<Vec<f64>, _> = match spec.sample_format {
        SampleFormat::Float => {
            reader.samples::<f32>().map(|sample| sample.map(f64::from)).collect()
        }
        SampleFormat::Int => {
            let full = 2f64.powi(i32::from(spec.bits_per_sample) - 1);
            reader.samples::<i32>().map(|sample| sample.map(|v| f64::from(v) / full)).collect()
        }
    };
    let samples = samples.map_err(|e| refuse(e.to_string()))?;
    let count = usize::from(spec.channels).max(1);
    let length = samples.len() / count;
    if length == 0 || samples.iter().any(|v| !v.is_finite()) {
        return Err(refuse("it has no samples, or some that are no numbers".into()));
    }
    // Channels lie side by side, sample by sample.
    let channels = Array2::from_shape_fn((count, length), |(c, i)| samples[i * count + c]);
    Ok((Recording { channels, rate: f64::from(spec.sample_rate) }, bytes))
}

impl Sound {
    /// Each channel with its relevance.
    pub fn series(&self, relevance: &ArrayD<f64>) -> Result<Vec<Series>, Error> {
        let (count, length) = self.channels.dim();
        let mut relevance = relevance.view();
        while relevance.ndim() > 1
            && relevance.shape()[0] == 1
            && relevance.ndim() > usize::from(count > 1) + 1
        {
            relevance = relevance.index_axis_move(Axis(0), 0);
        }
        let lines = match relevance.ndim() {
            1 if count == 1 => {
                relevance.into_dimensionality::<Ix1>().ok().map(|line| line.insert_axis(Axis(0)))
            }
            _ => relevance
                .into_dimensionality::<Ix2>()
                .ok()
                .map(|lines| if self.last { lines.reversed_axes() } else { lines }),
        };
        let Some(lines) = lines.filter(|lines| lines.dim() == (count, length)) else {
            return Err(Error::Other(format!(
                "relevance is not of {count} channels with {length} values"
            )));
        };
        let series = (self.names.iter().zip(self.channels.outer_iter())).zip(lines.outer_iter());
        let series = series.map(|((name, values), relevance)| Series {
            name: name.clone(),
            values: values.to_vec(),
            relevance: relevance.to_vec(),
        });
        Ok(series.collect())
    }

    /// What values lie along.
    pub fn along(&self) -> Along {
        self.along
    }

    /// What was done to the recording.
    pub fn note(&self) -> Option<&str> {
        self.note.as_deref()
    }

    /// The file, where there is one that can be played.
    pub fn wav(&self) -> Option<&[u8]> {
        self.wav.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use abslrp::onnx::DataType;
    use ndarray::array;

    use super::*;

    fn input(shape: &[Option<usize>]) -> Input {
        let symbols = vec![String::new(); shape.len()];
        Input { name: "x".into(), elem: DataType::Float, shape: shape.to_vec(), symbols }
    }

    #[test]
    fn channels_lie_where_the_model_has_them() {
        let channels = array![[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]];
        for (shape, expected) in [
            (vec![None, Some(2), None], Some(vec![1, 2, 3])),
            (vec![None, None, Some(2)], Some(vec![1, 3, 2])),
            (vec![None, Some(1), None], None),
            (vec![None, None], None),
            (vec![None, Some(2), Some(4)], None),
            (vec![Some(2), Some(2), None], None),
        ] {
            let input = input(&shape);
            let last = channels_last(&input);
            let numbers = arranged(&input, &channels, last).ok();
            assert_eq!(numbers.as_ref().map(|n| n.shape().to_vec()), expected, "{shape:?}");
            let Some(numbers) = numbers else { continue };
            let names = vec!["a".into(), "b".into()];
            let along = Along { rate: None };
            let sound =
                Sound { channels: channels.clone(), names, last, along, note: None, wav: None };
            let series = sound.series(&numbers).unwrap();
            assert_eq!(series[1].relevance, [4.0, 5.0, 6.0], "{shape:?}");
        }
    }

    #[test]
    fn a_recording_becomes_what_the_model_expects() {
        let recording = || Recording { channels: Array2::from_elem((2, 800), 0.5), rate: 8000.0 };
        let given = Given { rate: None, mono: true };
        let (mean, note) = given.prepared(recording(), Some(16_000.0));
        assert_eq!(mean.channels.dim(), (1, 1600));
        assert!((mean.channels[[0, 800]] - 0.5).abs() < 1e-4);
        assert_eq!(note, "800 samples at 8000 Hz, the mean of 2 channels, resampled to 16000 Hz");
        let given = Given { rate: None, mono: false };
        assert_eq!(given.prepared(recording(), Some(8000.0)).0.channels, recording().channels);
    }
}
