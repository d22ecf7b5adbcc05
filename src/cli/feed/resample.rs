//! Another sample rate for a recording.

use std::f64::consts::PI;

/// A recording at another rate: band-limited interpolation, a sinc under a window (Smith, *Digital Audio Resampling*).
/// What the new rate cannot hold is filtered out.
pub fn resample(values: &[f64], from: f64, to: f64) -> Vec<f64> {
    /// How many zeros of the sinc lie to either side, and how much of the band passes: the rest is where the filter falls.
    const ZEROS: f64 = 64.0;
    const PASSES: f64 = 0.94;
    let ratio = to / from;
    let band = PASSES * ratio.min(1.0);
    let reach = ZEROS / band;
    let count = (values.len() as f64 * ratio).ceil() as usize;
    let sample = |n: usize| {
        let at = n as f64 / ratio;
        let first = (at - reach).ceil().max(0.0) as usize;
        let near = values.iter().enumerate().skip(first);
        let near = near.take_while(|(k, _)| *k as f64 <= at + reach);
        near.map(|(k, value)| {
            value * band * sinc(band * (at - k as f64)) * window((at - k as f64) / reach)
        })
        .sum()
    };
    (0..count).map(sample).collect()
}

fn sinc(x: f64) -> f64 {
    if x == 0.0 { 1.0 } else { (PI * x).sin() / (PI * x) }
}

/// The window of Blackman and Harris with four terms, whose side lobes are 92 dB down, between −1 and 1.
fn window(x: f64) -> f64 {
    0.358_75
        + 0.488_29 * (PI * x).cos()
        + 0.141_28 * (2.0 * PI * x).cos()
        + 0.011_68 * (3.0 * PI * x).cos()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(hertz: f64, rate: f64, count: usize) -> Vec<f64> {
        (0..count).map(|i| (2.0 * PI * hertz * i as f64 / rate).sin()).collect()
    }

    /// The largest difference, away from the ends.
    fn apart(a: &[f64], b: &[f64]) -> f64 {
        let pairs = a.iter().zip(b).skip(400).take(a.len() - 800);
        pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
    }

    #[test]
    fn a_tone_stays_the_tone_that_it_was() {
        for (from, to) in [(44_100.0, 16_000.0), (8_000.0, 16_000.0), (22_050.0, 44_100.0)] {
            let made = resample(&tone(440.0, from, from as usize / 4), from, to);
            assert!((made.len() as f64 - to / 4.0).abs() <= 1.0);
            assert!(apart(&made, &tone(440.0, to, made.len())) < 1e-4, "{from} to {to}");
        }
    }

    #[test]
    fn what_the_rate_cannot_hold_is_gone() {
        let made = resample(&tone(10_000.0, 44_100.0, 22_050), 44_100.0, 16_000.0);
        assert!(apart(&made, &vec![0.0; made.len()]) < 1e-4);
    }
}
