//! Pixel flipping (Bach et al. 2015; Samek et al. 2017): what becomes of a score as regions of the input are
//! replaced, those of most relevance first (MoRF) or of least (LeRF).
//!
//! With `p(q)` the mean score once the share `q` of the regions is replaced, the area of a curve is `∫₀¹ p(q) dq` by
//! trapezoids, and the gap is the area of LeRF less that of MoRF. A map whose order says nothing has a gap of 0.

/// The parts of an input that are replaced together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Regions {
    /// The region of each element, in row-major order.
    of: Vec<usize>,
    count: usize,
}

impl Regions {
    /// Each element by itself: the features of a table, the tokens of a text of ids.
    pub fn elements(shape: &[usize]) -> Self {
        let count = shape.iter().product();
        Self { of: (0..count).collect(), count }
    }

    /// Positions along an axis, with all that lies at each: tokens that are vectors.
    pub fn positions(shape: &[usize], axis: usize) -> Self {
        let count = shape.get(axis).copied().unwrap_or(1);
        Self { of: places(shape).map(|at| at.get(axis).copied().unwrap_or(0)).collect(), count }
    }

    /// Squares of `size` × `size` pixels with all their channels, smaller ones at the right and lower edges.
    pub fn patches(shape: &[usize], [height, width]: [usize; 2], size: usize) -> Self {
        let size = size.max(1);
        let extent = |axis: usize| shape.get(axis).copied().unwrap_or(1).div_ceil(size);
        let (rows, columns) = (extent(height), extent(width));
        let place = |at: &[usize], axis: usize| at.get(axis).copied().unwrap_or(0) / size;
        let of = places(shape).map(|at| place(&at, height) * columns + place(&at, width)).collect();
        Self { of, count: rows * columns }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The sum of a map over each region.
    pub fn sums(&self, map: &[f64]) -> Vec<f64> {
        let mut sums = vec![0.0; self.count];
        for (&region, &value) in self.of.iter().zip(map) {
            sums[region] += value; // every region is below `count`
        }
        sums
    }

    /// The input with some regions replaced.
    pub fn replace(&self, x: &[f64], by: &[f64], flipped: &[bool]) -> Vec<f64> {
        let elements = x.iter().zip(by).zip(&self.of);
        elements.map(|((&x, &by), &region)| if flipped[region] { by } else { x }).collect()
    }
}

/// The places of an array of this shape, in row-major order.
fn places(shape: &[usize]) -> impl Iterator<Item = Vec<usize>> {
    (0..shape.iter().product::<usize>()).map(move |mut index| {
        let mut at: Vec<_> = shape
            .iter()
            .rev()
            .map(|&n| {
                let here = index % n;
                index /= n;
                here
            })
            .collect();
        at.reverse();
        at
    })
}

/// Regions from the one of most relevance to that of least; where two have as much, the first comes first, which
/// `shuffled` decides so that ties carry no order of their own.
pub fn ranking(sums: &[f64], shuffled: &[usize]) -> Vec<usize> {
    let mut ranking = shuffled.to_vec();
    ranking.sort_by(|&a, &b| sums[b].total_cmp(&sums[a])); // a permutation of the places in `sums`
    ranking
}

/// The inputs of a curve: none of the regions replaced, then more and more of them, at last all.
pub fn inputs<'a>(
    regions: &'a Regions,
    x: &'a [f64],
    by: &'a [f64],
    order: &'a [usize],
    steps: usize,
) -> impl Iterator<Item = Vec<f64>> + 'a {
    (0..=steps).map(move |step| {
        let mut flipped = vec![false; regions.count()];
        for &region in order.iter().take(flips(regions.count(), step, steps)) {
            flipped[region] = true; // a permutation of the regions
        }
        regions.replace(x, by, &flipped)
    })
}

/// How many of the regions are replaced at a step: `count · step / steps`, rounded.
pub fn flips(count: usize, step: usize, steps: usize) -> usize {
    (count as f64 * step as f64 / steps.max(1) as f64).round() as usize
}

/// The share of the regions that is replaced at each step.
pub fn shares(count: usize, steps: usize) -> Vec<f64> {
    (0..=steps).map(|step| flips(count, step, steps) as f64 / count.max(1) as f64).collect()
}

/// The area under a curve, by trapezoids.
pub fn area(shares: &[f64], curve: &[f64]) -> f64 {
    let (widths, heights) = (shares.windows(2), curve.windows(2));
    widths.zip(heights).map(|(q, p)| (q[1] - q[0]) * f64::midpoint(p[0], p[1])).sum() // windows of two
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluate::Random;

    const X: [f64; 6] = [3.0, -1.0, 0.5, 2.0, 0.25, -2.0];

    /// The curve of the sum of all elements, which is that of a linear model whose weights are 1.
    fn curve(order: &[usize], steps: usize) -> Vec<f64> {
        let regions = Regions::elements(&[6]);
        inputs(&regions, &X, &[0.0; 6], order, steps).map(|x| x.iter().sum()).collect()
    }

    fn gap(map: &[f64], steps: usize) -> f64 {
        let mut morf = ranking(map, &[0, 1, 2, 3, 4, 5]);
        let shares = shares(6, steps);
        let most = area(&shares, &curve(&morf, steps));
        morf.reverse();
        area(&shares, &curve(&morf, steps)) - most
    }

    #[test]
    fn the_curves_of_a_linear_model_are_known() {
        // Contributions from the largest to the smallest: 3, 2, ½, ¼, −1, −2. Their sum is 2¾, and what is left
        // after each step is that less a partial sum.
        let order = ranking(&X, &[0, 1, 2, 3, 4, 5]);
        assert_eq!(order, [0, 3, 2, 4, 1, 5]);
        assert_eq!(curve(&order, 6), [2.75, -0.25, -2.25, -2.75, -3.0, -2.0, 0.0]);
        // Σₖ c₍ₖ₎ (2k − n − 1)/n over contributions by falling size: the closed form of the gap.
        let sorted = [3.0, 2.0, 0.5, 0.25, -1.0, -2.0];
        let closed: f64 = (1..=6).map(|k| sorted[k - 1] * (7.0 - 2.0 * k as f64) / 6.0).sum();
        assert!((gap(&X, 6) - closed).abs() < 1e-12, "{} {closed}", gap(&X, 6));
    }

    #[test]
    fn no_map_beats_that_of_the_contributions() {
        let best = gap(&X, 6);
        let mut sum = 0.0;
        for seed in 0..400 {
            let mut random = Random::new(seed);
            let map: Vec<_> = (0..6).map(|_| random.uniform()).collect();
            let gap = gap(&map, 6);
            assert!(gap <= best + 1e-12);
            sum += gap;
        }
        // Random orders have no gap on average.
        assert!((sum / 400.0).abs() < 0.15 * best, "{}", sum / 400.0);
        assert!((gap(&X.map(|v| -v), 6) + best).abs() < 1e-12);
    }

    #[test]
    fn patches_cover_an_image_with_its_channels() {
        let regions = Regions::patches(&[2, 3, 5], [1, 2], 2);
        assert_eq!(regions.count(), 2 * 3);
        // 2 channels of full squares, then what is left at the edges.
        assert_eq!(regions.sums(&[1.0; 30]), [8.0, 8.0, 4.0, 4.0, 4.0, 2.0]);
        let all = regions.replace(&[1.0; 30], &[0.0; 30], &[true; 6]);
        assert_eq!(all, [0.0; 30]);
    }

    #[test]
    fn shares_end_at_one_whatever_the_number_of_regions() {
        assert_eq!(shares(3, 6), [0.0, 1.0 / 3.0, 1.0 / 3.0, 2.0 / 3.0, 2.0 / 3.0, 1.0, 1.0]);
        assert!((area(&shares(7, 4), &[1.0; 5]) - 1.0).abs() < 1e-12);
    }
}
