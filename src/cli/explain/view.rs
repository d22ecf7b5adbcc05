//! What is explained, and how it is shown.

use std::{fmt::Write, io::Cursor, num::NonZeroUsize};

use abslrp::onnx::shown::Escaped;
use image::{ImageFormat, RgbImage};
use ndarray::{Array2, ArrayD, Axis};
use serde_json::json;

use crate::{
    cli::{
        feed::{Error, image::Image, sound::Sound, table::Table, text::Text},
        prediction::Prediction,
    },
    show::{
        Scale,
        bars::{self, Bars, Row},
        heat, html, number, signed,
        swarm::{self, Point, Swarm},
        terminal::Terminal,
        tokens, wave,
    },
};

/// How maps are drawn.
#[derive(Debug, Clone, clap::Args)]
pub struct Drawing {
    /// What has full colour: this percentile of the |R|, or the largest with max
    #[arg(long, default_value = "99.5", value_name = "PERCENT|max", value_parser = percentile)]
    pub scale: f64,
    /// Average the map of an image over squares of N × N pixels
    #[arg(long, value_name = "N", conflicts_with = "smooth")]
    patch: Option<NonZeroUsize>,
    /// Smooth the map of an image by a Gaussian with a standard deviation of N pixels
    #[arg(long, value_name = "N", value_parser = deviation)]
    smooth: Option<f64>,
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

impl Drawing {
    /// The option that only images have, if one is given.
    pub fn of_images(&self) -> Option<&'static str> {
        self.patch.map(|_| "--patch").or(self.smooth.map(|_| "--smooth"))
    }

    /// What has full colour, in words.
    pub fn full(&self) -> String {
        if self.scale < 100.0 {
            format!("{} % have less |R|", self.scale)
        } else {
            "the largest |R|".into()
        }
    }
}

/// What is explained.
pub enum Sample {
    Image(Image),
    Text(Box<Text>),
    Sound(Box<Sound>),
    Table(Table),
}

/// A map as it is shown.
pub struct View {
    pub scale: Scale,
    /// For a terminal; nothing for images.
    pub terminal: String,
    /// A fragment.
    pub html: String,
    /// Where lines can draw it.
    pub svg: Option<String>,
    /// For machines.
    pub json: serde_json::Value,
}

impl Sample {
    /// A map with what the model predicts for each row, where there are rows.
    pub fn view(
        &self,
        relevance: &ArrayD<f64>,
        predictions: &[Vec<Prediction>],
        drawing: &Drawing,
    ) -> Result<View, Error> {
        let terminal = Terminal::of_stdout();
        Ok(match self {
            Self::Image(image) => {
                let (scale, map) = panel(image, relevance, drawing)?;
                let (height, width) = map.dim();
                let picture = heat::picture(&image.picture(), &[(scale, map)]);
                let alt = format!(
                    "The image in grey, {height} × {width}: red where it counts for, blue against"
                );
                let html = html::image(&png(&picture), &alt) + &html::legend(scale);
                View { scale, terminal: String::new(), html, svg: None, json: json!({}) }
            }
            Self::Text(text) => {
                let tokens = text.of_tokens(relevance)?;
                let words = text.words(&tokens);
                let scale =
                    Scale::percentile(words.iter().map(|word| word.relevance), drawing.scale);
                let token = |((name, id), r): ((&str, i64), &f64)| json!({"token": name, "id": id, "relevance": r});
                let json = json!({
                    "tokens": text.tokens().zip(&tokens).map(token).collect::<Vec<_>>(),
                    "words": words.iter()
                        .map(|w| json!({"word": w.text, "tokens": w.pieces, "relevance": w.relevance})).collect::<Vec<_>>(),
                });
                let html = tokens::html(&words, scale);
                View {
                    scale,
                    terminal: tokens::terminal(&words, scale, terminal),
                    html,
                    svg: None,
                    json,
                }
            }
            Self::Sound(sound) => {
                let series = sound.series(relevance)?;
                let scale = wave::scale(&series, drawing.scale);
                let along = sound.along();
                let svg = wave::svg(&series, scale, along);
                let audio = sound.wav().map(html::audio).unwrap_or_default();
                let html = format!(
                    "<figure>{svg}</figure>\n{}{audio}{}",
                    html::legend(scale),
                    wave::tables(&series, along)
                );
                let sums = series
                    .iter()
                    .map(|s| json!({"name": s.name, "sum": s.relevance.iter().sum::<f64>()}));
                let json = json!({"series": sums.collect::<Vec<_>>(), "rate": along.rate});
                View {
                    scale,
                    terminal: wave::terminal(&series, along, terminal),
                    html,
                    svg: Some(svg),
                    json,
                }
            }
            Self::Table(table) => rows(table, relevance, predictions, drawing, terminal)?,
        })
    }

    /// Maps as a picture: of images side by side, of series below each other.
    pub fn picture(&self, maps: &[&ArrayD<f64>], drawing: &Drawing) -> Result<RgbImage, Error> {
        match self {
            Self::Image(image) => {
                let panels = maps.iter().map(|relevance| panel(image, relevance, drawing));
                Ok(heat::picture(&image.picture(), &panels.collect::<Result<Vec<_>, _>>()?))
            }
            Self::Sound(sound) => {
                let mut all = Vec::new();
                for relevance in maps {
                    let series = sound.series(relevance)?;
                    all.push(wave::picture(&series, wave::scale(&series, drawing.scale)));
                }
                Ok(heat::below(&all))
            }
            Self::Text(_) => Err(Error::Drawing("a text is shown in the terminal or as .html")),
            Self::Table(_) => {
                Err(Error::Drawing("a table is shown in the terminal, as .html or .svg"))
            }
        }
    }
}

/// The map of an image with its scale. Each by itself: rules start from different amounts.
fn panel(
    image: &Image,
    relevance: &ArrayD<f64>,
    drawing: &Drawing,
) -> Result<(Scale, Array2<f64>), Error> {
    let mut map = image.map(relevance)?;
    if let Some(size) = drawing.patch {
        heat::pool(&mut map, size.get());
    }
    if let Some(deviation) = drawing.smooth {
        heat::smooth(&mut map, deviation);
    }
    Ok((Scale::percentile(map.iter().copied(), drawing.scale), map))
}

/// A picture as a PNG.
fn png(picture: &RgbImage) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    // Nothing is written to but memory.
    let _ = picture.write_to(&mut bytes, ImageFormat::Png);
    bytes.into_inner()
}

/// How many rows and features are listed.
const ROWS: usize = 20;
const FEATURES: usize = 20;

/// The rows of a table: one with its features, or what is common to several and then each.
fn rows(
    table: &Table,
    relevance: &ArrayD<f64>,
    predictions: &[Vec<Prediction>],
    drawing: &Drawing,
    terminal: Terminal,
) -> Result<View, Error> {
    let shape = (table.rows.len(), table.names.len());
    let what = || {
        format!(
            "relevance of shape {:?} is not that of {} rows of {} features",
            relevance.shape(),
            shape.0,
            shape.1
        )
    };
    let map = relevance
        .clone()
        .into_dimensionality::<ndarray::Ix2>()
        .ok()
        .filter(|map| map.dim() == shape);
    let map = map.ok_or_else(|| Error::Other(what()))?;
    let scale = Scale::percentile(map.iter().copied(), drawing.scale);
    // The features of a row, those that count most first.
    let of_row = |i: usize| -> Vec<Row> {
        let cells = table.names.iter().zip(&table.rows[i]).zip(map.row(i));
        sorted(
            cells
                .map(|((name, value), r)| Row {
                    name: name.clone(),
                    cells: vec![value.clone()],
                    relevance: *r,
                })
                .collect(),
        )
    };
    let said = |i: usize| {
        predictions.get(i).and_then(|said| said.first()).map_or(String::new(), Prediction::line)
    };
    let means = map.mapv(f64::abs).mean_axis(Axis(0)).unwrap_or_default();
    let signed_means = map.mean_axis(Axis(0)).unwrap_or_default();
    let size = |((name, mean), own): ((&String, &f64), &f64)| Row {
        name: name.clone(),
        cells: vec![signed(*own)],
        relevance: *mean,
    };
    let sizes = sorted(table.names.iter().zip(&means).zip(&signed_means).map(size).collect());
    let (mut text, mut body) = (String::new(), String::new());
    let drawn = swarms(table, &map, &sizes);
    if let [_] = table.rows.as_slice() {
        let rows = of_row(0);
        text += &bars::terminal(Bars::Relevance, rows.get(..FEATURES).unwrap_or(&rows), terminal);
        body += &bars::html(Bars::Relevance, &["Feature", "Value"], &rows);
        if rows.len() > FEATURES {
            let _ = writeln!(
                text,
                "and {} features of less; --json or .html has all",
                rows.len() - FEATURES
            );
        }
    } else {
        let _ = writeln!(text, "mean R and mean |R| over {} rows\n", table.rows.len());
        text += &bars::terminal(Bars::Size, sizes.get(..FEATURES).unwrap_or(&sizes), terminal);
        text.push('\n');
        let _ = writeln!(
            body,
            "<figure>{drawn}<figcaption class=\"quiet\">Each point is a row: the larger its value, the fuller its colour.</figcaption></figure>"
        );
        body += &bars::html(Bars::Size, &["Feature", "Mean R"], &sizes);
        for i in 0..table.rows.len().min(ROWS) {
            let rows = of_row(i);
            let most =
                rows.iter().take(3).map(|row| format!("{} {}", row.name, signed(row.relevance)));
            let most = most.collect::<Vec<_>>().join(", ");
            let _ = writeln!(text, "row {}: {}; {}", table.first + i, said(i), Escaped(&most));
            let summary = format!("Row {}: {}", table.first + i, said(i));
            body += &html::details(
                &summary,
                &bars::html(Bars::Relevance, &["Feature", "Value"], &rows),
            );
        }
        if table.rows.len() > ROWS {
            let more = format!(
                "{} rows more: --row shows one, and the .npy file has all",
                table.rows.len() - ROWS
            );
            let _ = writeln!(text, "{more}");
            let _ = writeln!(body, "<p class=\"quiet\">{}</p>", html::escape(&more));
        }
    }
    let row = |i: usize| {
        let said = predictions.get(i).and_then(|said| said.first()).map(Prediction::json);
        json!({"row": table.first + i, "values": table.rows[i], "relevance": map.row(i).to_vec(), "prediction": said})
    };
    let json = json!({
        "features": table.names, "mean_abs": means.to_vec(),
        "rows": (0..table.rows.len()).map(row).collect::<Vec<_>>(),
    });
    Ok(View { scale, terminal: text, html: body, svg: Some(drawn), json })
}

/// Rows, those of most relevance first.
fn sorted(mut rows: Vec<Row>) -> Vec<Row> {
    rows.sort_by(|a, b| b.relevance.abs().total_cmp(&a.relevance.abs()));
    rows
}

/// The features that count most as a beeswarm; of very many rows, so many evenly chosen.
fn swarms(table: &Table, map: &Array2<f64>, sizes: &[Row]) -> String {
    const POINTS: usize = 500;
    let step = table.rows.len().div_ceil(POINTS).max(1);
    let swarm = |row: &Row| {
        let feature = table.names.iter().position(|name| *name == row.name)?;
        let point = |i: usize| {
            let value = table.rows.get(i)?.get(feature)?.clone();
            Some(Point { row: table.first + i, value, relevance: *map.get([i, feature])? })
        };
        let points = (0..table.rows.len()).step_by(step).filter_map(point).collect();
        Some(Swarm { name: row.name.clone(), points })
    };
    swarm::svg(&sizes.iter().take(FEATURES).filter_map(swarm).collect::<Vec<_>>())
}

/// Facts that are known of the data, for the head of a document.
pub fn note(sample: &Sample) -> Option<String> {
    match sample {
        Sample::Sound(sound) => sound.note().map(String::from),
        Sample::Table(table) if table.rows.len() > 1 => {
            Some(format!("{} rows of {} features", table.rows.len(), table.names.len()))
        }
        Sample::Text(text) => {
            let unknown = text.unknown();
            (!unknown.is_empty())
                .then(|| format!("the tokenizer has no tokens for {}", unknown.join(", ")))
        }
        _ => None,
    }
}

/// A sum in words.
pub fn sum(relevance: &ArrayD<f64>) -> String {
    number(relevance.sum())
}
