//! Global Attribution Evaluation (Vukadin et al. 2024, arXiv 2412.09311), as in the authors' release
//! (davor10105/relative-absolute-magnitude-propagation, `gae.py`), for images.
//!
//! Four images make a *mosaic*, each at half its size; one of them, drawn by the softmax of the mosaic's scores, is the
//! *positive*. With `R` the positive part of its map:
//!
//! ```text
//! faithfulness     = Σ M·R / ΣR        M = sign(LeRF − MoRF) of gradient × input, summed over ten steps of masking
//! robustness       = 1 − 2·D(ΔR, Δo)   ΔR, Δo: how much more map and score change by MoRF than by LeRF, per step
//! local consistency = max(0, faithfulness + robustness) / 2
//! contrastiveness  = max(0, Σ S·R_mosaic / ΣR_mosaic)   S = 2·p(class of the quarter)/p(positive's) − 1
//! GAE              = local consistency · contrastiveness
//! ```
//!
//! where `D(a, b) = Σ|a − b| / (Σ|a| + Σ|b|)`. The release reads the classes of a batch of several mosaics in another
//! order than its pictures; here a batch is one mosaic, where both are the same.

use serde::Serialize;

/// What keeps a denominator from 0, as in the release.
const EPSILON: f64 = 1e-9;

/// How well maps fit what the model does, between −1 and 1 each; the mean over mosaics.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Gae {
    /// Half of faithfulness + robustness, if it is positive.
    pub local_consistency: f64,
    /// How much of a mosaic's map lies on what speaks for the class.
    pub contrastiveness: f64,
    /// Their product, before the mean.
    pub gae: f64,
}

impl Gae {
    /// The score of one mosaic.
    pub fn of(faithfulness: f64, robustness: f64, contrastiveness: f64) -> Self {
        let local_consistency = (faithfulness + robustness).max(0.0) / 2.0;
        let contrastiveness = contrastiveness.max(0.0);
        Self { local_consistency, contrastiveness, gae: local_consistency * contrastiveness }
    }

    /// The mean; nothing of nothing.
    pub fn mean(scores: &[Self]) -> Option<Self> {
        let n = scores.len() as f64;
        let mean = |of: fn(&Self) -> f64| scores.iter().map(of).sum::<f64>() / n;
        (!scores.is_empty()).then(|| Self {
            local_consistency: mean(|s| s.local_consistency),
            contrastiveness: mean(|s| s.contrastiveness),
            gae: mean(|s| s.gae),
        })
    }
}

/// The positive part of a map, its largest value 1.
pub fn positive(map: &[f64]) -> Vec<f64> {
    let largest = map.iter().fold(0.0f64, |m, &v| m.max(v));
    map.iter().map(|v| v.max(0.0) / (largest + EPSILON)).collect()
}

/// Magnitudes that add up to 1.
pub fn magnitudes(map: &[f64]) -> Vec<f64> {
    let sum: f64 = map.iter().map(|v| v.abs()).sum();
    map.iter().map(|v| v.abs() / (sum + EPSILON)).collect()
}

/// How far apart two lists are, between 0 and 1.
pub fn distance(a: &[f64], b: &[f64]) -> f64 {
    let apart: f64 = a.iter().zip(b).map(|(a, b)| (a - b).abs()).sum();
    let size: f64 = a.iter().chain(b).map(|v| v.abs()).sum();
    apart / (size + EPSILON)
}

/// The mean of `mask` as a map weighs it.
pub fn overlap(map: &[f64], mask: &[f64]) -> f64 {
    let both: f64 = map.iter().zip(mask).map(|(r, m)| r * m).sum();
    both / (map.iter().sum::<f64>() + EPSILON)
}

/// What is left of an input once this share of its elements, those of the largest impact or of the smallest, is 0.
pub fn mask(x: &[f64], impact: &[f64], share: f32, largest: bool) -> Vec<f64> {
    let count = (share * x.len() as f32) as usize;
    let mut order: Vec<_> = (0..x.len()).collect();
    let side = if largest { -1.0 } else { 1.0 };
    order.sort_by(|&a, &b| (side * impact[a]).total_cmp(&(side * impact[b]))); // one impact per element
    let mut masked = x.to_vec();
    order.iter().take(count).for_each(|&i| masked[i] = 0.0); // a permutation of the elements
    masked
}

/// Where replacing costs more than it seemed to: the sign of the impact summed over LeRF less that over MoRF.
pub fn impact_map(morf: &[Vec<f64>], lerf: &[Vec<f64>]) -> Vec<f64> {
    let sum = |steps: &[Vec<f64>]| {
        let mut sum = vec![0.0; steps.first().map_or(0, Vec::len)];
        for step in steps {
            sum.iter_mut().zip(step).for_each(|(s, v)| *s += v);
        }
        magnitudes(&sum)
    };
    let sign = |v: f64| if v == 0.0 { 0.0 } else { v.signum() };
    sum(lerf).iter().zip(sum(morf)).map(|(l, m)| sign(l - m)).collect()
}

/// How well the changes of a map go with those of the score.
///
/// `maps` and `scores` have what MoRF and LeRF lead to, step by step; `map` and `score` are those of the input itself.
pub fn robustness(map: &[f64], score: f64, maps: [&[Vec<f64>]; 2], scores: [&[f64]; 2]) -> f64 {
    let [morf, lerf] = maps;
    let map_changes: Vec<_> =
        morf.iter().zip(lerf).map(|(m, l)| distance(map, m) - distance(map, l)).collect();
    let [morf, lerf] = scores;
    let score_changes: Vec<_> =
        morf.iter().zip(lerf).map(|(m, l)| (l - m) / (score + EPSILON)).collect();
    1.0 - 2.0 * distance(&map_changes, &score_changes)
}

/// Four images of one shape in the quarters of one: upper left, upper right, lower left, lower right. Each is taken at
/// half its size, by the nearest pixel, and nothing is between them; a pixel that is left over at an odd edge is 0.
pub fn mosaic(images: [&[f64]; 4], shape: &[usize], [height, width]: [usize; 2]) -> Vec<f64> {
    let (h, w) = (shape[height] / 2, shape[width] / 2); // the axes of an image
    quarters(shape, [height, width], |quarter, at| {
        // The nearest pixel as torch's `interpolate` takes it: ⌊i · whole / half⌋.
        let mut from = at.to_vec();
        from[height] = (at[height] % h) * shape[height] / h;
        from[width] = (at[width] % w) * shape[width] / w;
        let index = from.iter().zip(shape).fold(0, |index, (at, n)| index * n + at);
        images[quarter][index] // one of four, and a place in it
    })
}

/// The scores of the quarters, spread over them. The middle, which belongs to none, counts for the class.
pub fn score_mosaic(scores: [f64; 4], shape: &[usize], [height, width]: [usize; 2]) -> Vec<f64> {
    let middle = |at: usize, n: usize| (n / 2).saturating_sub(1) <= at && at < n / 2 + 1;
    quarters(shape, [height, width], |quarter, at| {
        let centre = middle(at[height], shape[height]) && middle(at[width], shape[width]);
        if centre { 1.0 } else { scores[quarter] }
    })
}

/// An array made of four quarters: `value` is told which one a place lies in.
fn quarters(
    shape: &[usize],
    [height, width]: [usize; 2],
    value: impl Fn(usize, &[usize]) -> f64,
) -> Vec<f64> {
    let (h, w) = (shape[height] / 2, shape[width] / 2);
    let places = ndarray::indices(ndarray::IxDyn(shape));
    let values = places.into_iter().map(|at| {
        let at: Vec<_> = (0..shape.len()).map(|axis| at[axis]).collect();
        let (row, column) = (at[height].checked_div(h), at[width].checked_div(w));
        match (row, column) {
            (Some(row @ 0..=1), Some(column @ 0..=1)) => value(2 * row + column, &at),
            _ => 0.0,
        }
    });
    values.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_what_the_formulas_say() {
        assert!(Gae::of(0.5, -0.7, 0.4).gae.abs() < 1e-12);
        assert_eq!(
            Gae::of(0.6, 0.2, 0.5),
            Gae { local_consistency: 0.4, contrastiveness: 0.5, gae: 0.2 }
        );
        assert!((distance(&[1.0, 0.0], &[0.0, 1.0]) - 1.0).abs() < 1e-8);
        assert!(distance(&[2.0, 1.0], &[2.0, 1.0]).abs() < 1e-8);
        // Half of the map lies where the mask says 1, half where it says −1.
        assert!(overlap(&[1.0, 1.0], &[1.0, -1.0]).abs() < 1e-8);
        assert!((overlap(&[3.0, 1.0], &[1.0, -1.0]) - 0.5).abs() < 1e-8);
    }

    #[test]
    fn maps_that_change_as_the_score_does_are_robust() {
        // The map vanishes with the score by MoRF, and neither moves by LeRF.
        let map = vec![1.0, 0.0];
        let (gone, kept) = (vec![vec![0.0, 0.0]; 3], vec![map.clone(); 3]);
        let score = |maps| robustness(&map, 2.0, maps, [&[0.0; 3], &[2.0; 3]]);
        assert!((score([&gone, &kept]) - 1.0).abs() < 1e-6);
        assert!((score([&kept, &gone]) + 1.0).abs() < 1e-6);
    }

    #[test]
    fn masks_take_the_share_of_largest_or_smallest_impact() {
        let x = [1.0, 2.0, 3.0, 4.0];
        assert_eq!(mask(&x, &[0.1, 0.4, 0.3, 0.2], 0.5, true), [1.0, 0.0, 0.0, 4.0]);
        assert_eq!(mask(&x, &[0.1, 0.4, 0.3, 0.2], 0.5, false), [0.0, 2.0, 3.0, 0.0]);
        let impact = impact_map(&[vec![0.2, 0.8]], &[vec![0.5, 0.5]]);
        assert_eq!(impact, [1.0, -1.0]);
    }

    #[test]
    fn mosaics_are_made_of_every_other_pixel() {
        let image = |from: u8| (0..16).map(|i| f64::from(from + i)).collect::<Vec<_>>();
        let images = [image(0), image(20), image(40), image(60)];
        let [a, b, c, d] = &images;
        assert_eq!(
            mosaic([a, b, c, d], &[1, 4, 4], [1, 2]),
            [0., 2., 20., 22., 8., 10., 28., 30., 40., 42., 60., 62., 48., 50., 68., 70.]
        );
        let scores = score_mosaic([1.0, -1.0, -0.5, 0.5], &[1, 6, 6], [1, 2]);
        assert_eq!(scores[..6], [1.0, 1.0, 1.0, -1.0, -1.0, -1.0]);
        assert_eq!(scores[12..18], [1.0, 1.0, 1.0, 1.0, -1.0, -1.0]);
        assert_eq!(scores[30..], [-0.5, -0.5, -0.5, 0.5, 0.5, 0.5]);
    }
}
