//! Many samples of features as a beeswarm: a point for each sample, beside each other where they would hide each other.

use std::fmt::Write;

use super::{html::escape, number, signed, svg};

/// A feature of many samples.
pub struct Swarm {
    /// What the feature is called.
    pub name: String,
    /// Its samples.
    pub points: Vec<Point>,
}

/// A feature of one sample.
pub struct Point {
    /// The sample.
    pub row: usize,
    /// The value, as it is written.
    pub value: String,
    /// The relevance.
    pub relevance: f64,
}

/// The height of a swarm, the radius of a point, and the room for names.
const HEIGHT: f64 = 36.0;
const RADIUS: f64 = 2.5;
const NAMES: f64 = 200.0;
const WIDTH: f64 = 900.0;

/// The swarms below each other on one axis of relevance. Points have the fuller a colour the larger the value is,
/// among those of its feature; where values are no numbers all are alike.
pub fn svg(swarms: &[Swarm]) -> String {
    let relevance =
        || swarms.iter().flat_map(|swarm| swarm.points.iter().map(|point| point.relevance));
    let low = relevance().fold(0.0, f64::min);
    let high = relevance().fold(0.0, f64::max);
    let span = if high > low { high - low } else { 1.0 };
    let right = WIDTH - 2.0 * RADIUS - 8.0;
    let x = |r: f64| NAMES + 8.0 + (r - low) / span * (right - NAMES - 8.0);
    let bottom = HEIGHT * swarms.len() as f64;
    let mut body = String::new();
    for r in svg::ticks(low, high, 5) {
        let (at, class) = (x(r), if r == 0.0 { "zero" } else { "grid" });
        let _ = writeln!(
            body,
            "<line class=\"{class}\" x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"0\" y2=\"{bottom}\"/>"
        );
        let _ = writeln!(
            body,
            "<text x=\"{at:.1}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
            bottom + 18.0,
            number(r)
        );
    }
    for (i, swarm) in swarms.iter().enumerate() {
        let middle = HEIGHT * (i as f64 + 0.5);
        let _ = writeln!(
            body,
            "<text x=\"{NAMES}\" y=\"{:.1}\" text-anchor=\"end\"><title>{}</title>{}</text>",
            middle + 5.0,
            escape(&swarm.name),
            escape(&svg::shortened(&swarm.name, 26)),
        );
        let places: Vec<_> = swarm.points.iter().map(|point| x(point.relevance)).collect();
        for ((point, shade), (cx, off)) in
            swarm.points.iter().zip(shades(&swarm.points)).zip(places.iter().zip(apart(&places)))
        {
            let _ = writeln!(
                body,
                "<circle cx=\"{cx:.1}\" cy=\"{:.1}\" r=\"{RADIUS}\" class=\"point\" fill-opacity=\"{shade:.2}\"><title>{}</title></circle>",
                middle + off,
                escape(&format!(
                    "row {}: {} = {}, R = {}",
                    point.row,
                    swarm.name,
                    point.value,
                    signed(point.relevance)
                )),
            );
        }
    }
    svg::whole(
        WIDTH,
        bottom + 28.0,
        &format!("Relevance of {} features, a point for each row", swarms.len()),
        &body,
    )
}

/// How dark each point is: by the rank of its value, so that one that lies far off does not make all others alike.
fn shades(points: &[Point]) -> Vec<f64> {
    let numbers: Option<Vec<f64>> = points.iter().map(|point| point.value.parse().ok()).collect();
    let Some(numbers) = numbers else { return vec![0.7; points.len()] };
    let mut sorted = numbers.clone();
    sorted.sort_by(f64::total_cmp);
    let most = sorted.partition_point(|v| sorted.last().is_some_and(|last| v < last)).max(1) as f64;
    let rank = |value: &f64| sorted.partition_point(|v| v < value) as f64 / most;
    numbers.iter().map(|value| 0.2 + 0.8 * rank(value).min(1.0)).collect()
}

/// How far each point lies from the middle line, so that none covers another as long as there is room.
fn apart(places: &[f64]) -> Vec<f64> {
    /// The nearest to the middle first, to either side in turn.
    const STEPS: usize = (HEIGHT / 4.0 / RADIUS) as usize;
    let mut order: Vec<_> = (0..places.len()).collect();
    order.sort_by(|a, b| places[*a].total_cmp(&places[*b]));
    let mut off = vec![0.0; places.len()];
    // The last place that is taken on each line.
    let mut taken = [f64::NEG_INFINITY; 2 * STEPS + 1];
    for at in order {
        let free = taken.iter().position(|last| places[at] - last >= 2.0 * RADIUS);
        // Where all lines are taken, on the one that was taken first.
        let line = free.unwrap_or_else(|| {
            let first = taken.iter().enumerate().min_by(|a, b| a.1.total_cmp(b.1));
            first.map_or(0, |(line, _)| line)
        });
        taken[line] = places[at];
        let distance = line.div_ceil(2) as f64 * 2.0 * RADIUS;
        off[at] = if line.is_multiple_of(2) { distance } else { -distance };
    }
    off
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_point_covers_another_where_there_is_room() {
        let off = apart(&[1.0, 1.0, 1.0, 50.0]);
        assert_eq!(off, [0.0, -2.0 * RADIUS, 2.0 * RADIUS, 0.0]);
        let crowded = apart(&[3.0; 100]);
        assert!(crowded.iter().all(|off| off.abs() <= HEIGHT / 2.0 - RADIUS));
    }

    #[test]
    fn points_say_what_they_are() {
        let points = [("1", -1.0), ("2", 0.5), ("900", 1.0)].into_iter().enumerate();
        let points =
            points.map(|(row, (value, relevance))| Point { row, value: value.into(), relevance });
        let drawn = svg(&[Swarm { name: "a<b".into(), points: points.collect() }]);
        assert!(drawn.contains("<title>row 1: a&lt;b = 2, R = +0.5</title>"), "{drawn}");
        for shade in ["0.20", "0.60", "1.00"] {
            assert!(drawn.contains(&format!("fill-opacity=\"{shade}\"")), "{shade}: {drawn}");
        }
        assert!(!drawn.contains("a<b"));
    }
}
