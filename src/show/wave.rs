//! Series of values, such as the channels of a recording, each a line on the colours of its relevance.

use std::fmt::Write;

use image::{Rgb, RgbImage};

use super::{
    Colour, Scale,
    bars::{self, Bars, Row},
    html::{self, escape},
    number, signed, svg,
    terminal::Terminal,
};

/// A series of values.
pub struct Series {
    /// What it is called.
    pub name: String,
    /// The values.
    pub values: Vec<f64>,
    /// As many: their relevance.
    pub relevance: Vec<f64>,
}

/// What values lie along: so many in a second, or places.
#[derive(Debug, Clone, Copy)]
pub struct Along {
    /// How many values there are in a second, where it is time.
    pub rate: Option<f64>,
}

impl Along {
    /// A place in words.
    fn at(self, place: usize) -> String {
        match self.rate {
            Some(rate) => format!("{:.3}", place as f64 / rate),
            None => place.to_string(),
        }
    }

    fn unit(self) -> &'static str {
        if self.rate.is_some() { "s" } else { "" }
    }
}

/// What lies in one column of a drawing.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Column {
    low: f64,
    high: f64,
    /// The sum of what lies in it.
    relevance: f64,
}

/// How wide a line is drawn, and how high.
const WIDTH: usize = 900;
const HEIGHT: usize = 110;
/// The room for names.
const NAMES: usize = 100;

/// A series in at most so many columns. None has less than one value.
fn columns(series: &Series, most: usize) -> Vec<Column> {
    let length = series.values.len().min(series.relevance.len());
    let count = length.min(most);
    let column = |i: usize| {
        let part = i * length / count..(i + 1) * length / count;
        let values = series.values.get(part.clone()).unwrap_or_default().iter();
        let (low, high) =
            values.fold((f64::MAX, f64::MIN), |(low, high), v| (low.min(*v), high.max(*v)));
        let relevance = series.relevance.get(part).unwrap_or_default().iter().sum();
        Column { low, high, relevance }
    };
    (0..count).map(column).collect()
}

/// The |R| of a column that has full colour: this percentage of columns have less.
pub fn scale(all: &[Series], percent: f64) -> Scale {
    let sums = all.iter().flat_map(|series| columns(series, WIDTH - NAMES));
    Scale::percentile(sums.map(|column| column.relevance), percent)
}

/// The lowest and the highest value.
fn range(columns: &[Column]) -> (f64, f64) {
    let (low, high) = columns
        .iter()
        .fold((f64::MAX, f64::MIN), |(low, high), c| (low.min(c.low), high.max(c.high)));
    if high > low { (low, high) } else { (low - 1.0, low + 1.0) }
}

/// Series below each other on one axis.
pub fn svg(all: &[Series], scale: Scale, along: Along) -> String {
    let width = (WIDTH - NAMES) as f64;
    let bottom = HEIGHT * all.len();
    let mut body = String::new();
    for (i, series) in all.iter().enumerate() {
        let columns = columns(series, WIDTH - NAMES);
        let top = (HEIGHT * i) as f64;
        let each = width / columns.len().max(1) as f64;
        let _ = writeln!(
            body,
            "<text x=\"{}\" y=\"{:.0}\" text-anchor=\"end\"><title>{}</title>{}</text>",
            NAMES - 8,
            top + HEIGHT as f64 / 2.0 + 4.0,
            escape(&series.name),
            escape(&svg::shortened(&series.name, 13)),
        );
        let (low, high) = range(&columns);
        let y = |v: f64| top + 8.0 + (high - v) / (high - low) * (HEIGHT as f64 - 16.0);
        // The upper edge of the line from left to right, then the lower one back.
        let (mut upper, mut lower) = (String::new(), Vec::new());
        for (place, column) in columns.iter().enumerate() {
            let x = NAMES as f64 + each * place as f64;
            let (colour, share) = scale.colour(column.relevance);
            if share > 0.02 {
                let side = if column.relevance > 0.0 { "for" } else { "against" };
                let [r, g, b] = colour;
                let begin = place * series.values.len() / columns.len();
                let title = format!(
                    "{} {}: R = {}",
                    along.at(begin),
                    along.unit(),
                    signed(column.relevance)
                );
                let _ = writeln!(
                    body,
                    "<rect class=\"{side}\" x=\"{x:.2}\" y=\"{top}\" width=\"{each:.2}\" height=\"{HEIGHT}\" fill=\"rgb({r},{g},{b})\" fill-opacity=\"{share:.3}\"><title>{title}</title></rect>"
                );
            }
            let middle = x + each / 2.0;
            let _ = write!(upper, "{middle:.1},{:.1} ", y(column.high));
            lower.push(format!("{middle:.1},{:.1}", y(column.low)));
        }
        lower.reverse();
        let _ = writeln!(body, "<polygon class=\"line\" points=\"{upper}{}\"/>", lower.join(" "));
    }
    let length = all.first().map_or(0, |series| series.values.len());
    let end = along.rate.map_or(length as f64, |rate| length as f64 / rate);
    for tick in svg::ticks(0.0, end, 8) {
        let x = NAMES as f64 + width * tick / end.max(f64::MIN_POSITIVE);
        let anchor = if tick == 0.0 {
            "start"
        } else if x > WIDTH as f64 - 20.0 {
            "end"
        } else {
            "middle"
        };
        let _ = writeln!(
            body,
            "<text x=\"{x:.1}\" y=\"{}\" text-anchor=\"{anchor}\">{} {}</text>",
            bottom + 18,
            number(tick),
            along.unit(),
        );
    }
    let label =
        format!("{} series of {length} values, red where they count for, blue against", all.len());
    svg::whole(WIDTH as f64, bottom as f64 + 28.0, &label, &body)
}

/// The same without names.
pub fn picture(all: &[Series], scale: Scale) -> RgbImage {
    const INK: Colour = [29, 31, 34];
    let mut picture =
        RgbImage::from_pixel(WIDTH as u32, (HEIGHT * all.len()) as u32, Rgb([255; 3]));
    for (i, series) in all.iter().enumerate() {
        let columns = columns(series, WIDTH);
        let (low, high) = range(&columns);
        let y = |v: f64| ((high - v) / (high - low) * (HEIGHT as f64 - 16.0)).round() as u32 + 8;
        let top = (HEIGHT * i) as u32;
        let mut before: Option<(u32, u32)> = None;
        for x in 0..WIDTH {
            let Some(column) = columns.get(x * columns.len() / WIDTH) else { continue };
            let paper = Rgb(scale.over([255; 3], column.relevance));
            for row in 0..HEIGHT as u32 {
                picture.put_pixel(x as u32, top + row, paper);
            }
            // From where the line was, so that it has no gaps.
            let own = (y(column.high), y(column.low));
            let (from, to) = before.map_or(own, |(high, low)| (own.0.min(low), own.1.max(high)));
            for row in from..=to {
                picture.put_pixel(x as u32, top + row, Rgb(INK));
            }
            before = Some(own);
        }
    }
    picture
}

/// The windows that `count` of them make of the length, with the relevance of all series in each.
fn windows(all: &[Series], count: usize, along: Along) -> Vec<Row> {
    let length = all.first().map_or(0, |series| series.values.len());
    let count = count.min(length);
    let window = |i: usize| {
        let part = i * length / count..(i + 1) * length / count;
        let sum = |series: &Series| {
            series.relevance.get(part.clone()).unwrap_or_default().iter().sum::<f64>()
        };
        let name = format!("{} to {} {}", along.at(part.start), along.at(part.end), along.unit());
        Row {
            name: name.trim_end().into(),
            cells: Vec::new(),
            relevance: all.iter().map(sum).sum(),
        }
    };
    (0..count).map(window).collect()
}

/// Each series as a whole.
fn totals(all: &[Series]) -> Vec<Row> {
    let row = |series: &Series| Row {
        name: series.name.clone(),
        cells: Vec::new(),
        relevance: series.relevance.iter().sum(),
    };
    all.iter().map(row).collect()
}

/// How many windows are listed.
const WINDOWS: usize = 20;

/// The relevance of each series, where there are several, and of windows of all.
pub fn terminal(all: &[Series], along: Along, terminal: Terminal) -> String {
    let mut text = String::new();
    if all.len() > 1 {
        text = bars::terminal(Bars::Relevance, &totals(all), terminal) + "\n";
    }
    text + &bars::terminal(Bars::Relevance, &windows(all, WINDOWS, along), terminal)
}

/// The same as tables, for those who see no drawing.
pub fn tables(all: &[Series], along: Along) -> String {
    let windows = bars::html(Bars::Relevance, &["Window"], &windows(all, WINDOWS, along));
    let series = if all.len() > 1 {
        bars::html(Bars::Relevance, &["Series"], &totals(all))
    } else {
        String::new()
    };
    html::details("Relevance in windows", &(series + &windows))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(length: usize) -> Series {
        let relevance = (0..length).map(|i| if i == 7 { 1.0 } else { -0.001 }).collect();
        let values = (0..length).map(|i| (i as f64 / 9.0).sin()).collect();
        Series { name: "lead <I>".into(), values, relevance }
    }

    #[test]
    fn nothing_is_lost_where_values_share_a_column() {
        let long = series(100_000);
        let columns = columns(&long, 800);
        assert_eq!(columns.len(), 800);
        let sum: f64 = columns.iter().map(|column| column.relevance).sum();
        assert!((sum - long.relevance.iter().sum::<f64>()).abs() < 1e-9);
        assert!(columns[0].relevance > 0.8 && columns[1].relevance < 0.0);
        assert!((columns[3].high - 1.0).abs() < 1e-2 && (columns[3].low + 1.0).abs() < 1e-2);
    }

    #[test]
    fn a_drawing_says_where_it_counts() {
        let all = [series(200), series(200)];
        let drawn = svg(&all, scale(&all, 100.0), Along { rate: Some(100.0) });
        assert!(drawn.contains("<title>0.070 s: R = +1</title>"), "{drawn}");
        assert!(drawn.contains(">2 s</text>") && !drawn.contains("<I>"));
        let picture = picture(&all, scale(&all, 100.0));
        assert_eq!(picture.dimensions(), (900, 220));
        // Full colour, in the column of the eighth of 200 values, above the line.
        assert_eq!(*picture.get_pixel(900 * 7 / 200 + 1, 1), Rgb([178, 24, 43]));
    }

    #[test]
    fn windows_are_the_sums_of_all_series() {
        let all = [series(200), series(200)];
        let text = terminal(&all, Along { rate: None }, Terminal::Plain);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 2 + 1 + 20);
        assert!(lines[3].starts_with("0 to 10 ") && lines[3].contains("+1.982"), "{text}");
        assert!(lines[4].starts_with("10 to 20 ") && lines[4].contains("-0.02"), "{text}");
    }
}
