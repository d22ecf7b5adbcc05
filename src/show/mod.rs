//! Maps to look at: numbers, and what they are called, become pictures, text for a terminal, and fragments of HTML.
//!
//! Nothing here knows of models or runtimes. Names come from files: whatever writes them escapes them.

pub mod bars;
pub mod heat;
pub mod html;
pub mod svg;
pub mod swarm;
pub mod terminal;
pub mod tokens;
pub mod wave;

/// A colour: red, green and blue.
pub type Colour = [u8; 3];

/// The colours for and against, at full strength.
pub const FOR: Colour = [178, 24, 43];
/// See [`FOR`].
pub const AGAINST: Colour = [33, 102, 172];

/// How relevance becomes colour: as much as this has all of it.
#[derive(Debug, Clone, Copy)]
pub struct Scale(pub f64);

impl Scale {
    /// That which this percentage of the |R| is at most: of the nearest rank, so 100 is the largest.
    pub fn percentile(values: impl IntoIterator<Item = f64>, percent: f64) -> Self {
        let mut values: Vec<_> = values.into_iter().map(f64::abs).collect();
        values.sort_by(f64::total_cmp);
        let rank = (percent / 100.0 * values.len() as f64).ceil() as usize;
        let largest = values.last().copied().unwrap_or(0.0);
        Self(match values.get(rank.saturating_sub(1)) {
            // A map that is nonzero in few places is drawn by its largest.
            Some(&value) if value > 0.0 => value,
            _ => largest,
        })
    }

    /// The colour of relevance, and how much of it there is, from 0 to 1; beyond the scale it stays what it is there.
    /// The root makes what is small visible.
    pub fn colour(self, relevance: f64) -> (Colour, f64) {
        let share = if self.0 > 0.0 { (relevance.abs() / self.0).min(1.0).sqrt() } else { 0.0 };
        (if relevance > 0.0 { FOR } else { AGAINST }, share)
    }

    /// The colour of relevance over a paper.
    pub fn over(self, paper: Colour, relevance: f64) -> Colour {
        let (full, share) = self.colour(relevance);
        let mix = |paper: u8, full: u8| {
            (f64::from(paper) + (f64::from(full) - f64::from(paper)) * share).round() as u8
        };
        [0, 1, 2].map(|i| mix(paper[i], full[i]))
    }
}

/// Whether white can be read better on a colour than black, by the contrast of WCAG 2.
pub fn wants_white(colour: Colour) -> bool {
    let linear = colour.map(|c| {
        let c = f64::from(c) / 255.0;
        if c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
    });
    // Where (1 + 0.05) / (L + 0.05) = (L + 0.05) / 0.05.
    0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2] <= 0.179
}

/// A number as it is read: four significant digits.
pub fn number(value: f64) -> String {
    let size = value.abs();
    if value == 0.0 || !value.is_finite() {
        return format!("{value}");
    }
    if !(1e-3..1e6).contains(&size) {
        return format!("{value:.3e}");
    }
    let digits = (3 - size.log10().floor() as i64).max(0) as usize;
    let text = format!("{value:.digits$}");
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').into(),
        false => text,
    }
}

/// Relevance as it is read: with its sign.
pub fn signed(relevance: f64) -> String {
    if relevance > 0.0 { format!("+{}", number(relevance)) } else { number(relevance) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_not_moved_by_one_value() {
        let mut map = vec![-1.0; 400];
        map[64] = 50.0;
        assert!((Scale::percentile(map.clone(), 99.5).0 - 1.0).abs() < 1e-12);
        assert!((Scale::percentile(map, 100.0).0 - 50.0).abs() < 1e-12);
        // All that there is stays visible.
        let mut sparse = vec![0.0; 400];
        sparse[0] = -3.0;
        assert!((Scale::percentile(sparse, 99.5).0 - 3.0).abs() < 1e-12);
        assert_eq!(Scale::percentile([], 99.5).over([255; 3], 1.0), [255; 3]);
    }

    #[test]
    fn colours_vanish_at_zero_and_end_at_the_scale() {
        let scale = Scale(4.0);
        assert_eq!(scale.over([255; 3], 0.0), [255; 3]);
        assert_eq!(scale.over([255; 3], 9.0), FOR);
        assert_eq!(scale.over([255; 3], -4.0), AGAINST);
        assert_eq!(scale.over([255; 3], -1.0), [144, 179, 214]);
        assert!(wants_white(FOR) && wants_white(AGAINST));
        assert!(!wants_white(scale.over([255; 3], 0.5)));
    }

    #[test]
    fn numbers_have_four_digits() {
        for (value, text) in [
            (0.0, "0"),
            (1.0, "1"),
            (-0.123_456, "-0.1235"),
            (1234.56, "1235"),
            (123_456.0, "123456"),
            (99.999, "100"),
            (0.000_012, "1.200e-5"),
            (1e9, "1.000e9"),
        ] {
            assert_eq!(number(value), text);
        }
        assert_eq!(signed(0.5), "+0.5");
        assert_eq!(signed(-0.5), "-0.5");
    }
}
