//! Maps as pictures: red for, blue against, over the picture in light grey.

use image::{DynamicImage, Rgb, RgbImage, imageops::FilterType};
use ndarray::{Array2, Axis};

use super::Scale;

/// What lies between two maps, and between the maps and the bar of colours.
const GAP: u32 = 8;

/// The mean of a map over each square of `size` × `size` pixels, in all of its pixels.
pub fn pool(map: &mut Array2<f64>, size: usize) {
    for mut patch in map.exact_or_smaller(size) {
        let mean = patch.mean().unwrap_or(0.0);
        patch.fill(mean);
    }
}

trait Patches {
    /// The squares of a map, smaller at its right and lower edges.
    fn exact_or_smaller(&mut self, size: usize) -> Vec<ndarray::ArrayViewMut2<'_, f64>>;
}

impl Patches for Array2<f64> {
    fn exact_or_smaller(&mut self, size: usize) -> Vec<ndarray::ArrayViewMut2<'_, f64>> {
        let strips = self.axis_chunks_iter_mut(Axis(0), size);
        strips
            .flat_map(|mut strip| {
                let mut patches = Vec::new();
                while strip.dim().1 > size {
                    let (patch, rest) = strip.split_at(Axis(1), size);
                    patches.push(patch);
                    strip = rest;
                }
                patches.push(strip);
                patches
            })
            .collect()
    }
}

/// A map under a Gaussian; there is nothing beyond its edges, so what is near them is weighed by what there is.
pub fn smooth(map: &mut Array2<f64>, deviation: f64) {
    let reach = (3.0 * deviation).ceil() as usize;
    let weight = |distance: usize| (-0.5 * (distance as f64 / deviation).powi(2)).exp();
    for axis in [Axis(0), Axis(1)] {
        for mut lane in map.lanes_mut(axis) {
            let line = lane.to_vec();
            for (place, value) in lane.iter_mut().enumerate() {
                let near = line.iter().enumerate().skip(place.saturating_sub(reach));
                let near = near.take_while(|(other, _)| *other <= place + reach);
                let (sum, weights) = near.fold((0.0, 0.0), |(sum, weights), (other, v)| {
                    let weight = weight(other.abs_diff(place));
                    (sum + weight * v, weights + weight)
                });
                *value = sum / weights;
            }
        }
    }
}

/// Maps side by side over one picture, each with its scale, and a bar of the colours from −1 (below) to 1 (above) of
/// that.
pub fn picture(picture: &DynamicImage, panels: &[(Scale, Array2<f64>)]) -> RgbImage {
    // A small picture is enlarged until its pixels can be seen.
    let factor = (256 / picture.width().max(picture.height()).max(1)).max(1);
    let (width, height) = (picture.width() * factor, picture.height() * factor);
    let grey = picture.resize_exact(width, height, FilterType::Nearest).to_luma8();
    let count = panels.len() as u32;
    let bar = (height / 16).max(4);
    let mut whole = RgbImage::from_pixel(count * (width + GAP) + bar, height, Rgb([255; 3]));
    for ((scale, map), left) in panels.iter().zip((0..).step_by((width + GAP) as usize)) {
        let (rows, columns) = map.dim();
        for (x, y, pixel) in grey.enumerate_pixels() {
            let row = (y as usize * rows / height as usize).min(rows.saturating_sub(1));
            let column = (x as usize * columns / width as usize).min(columns.saturating_sub(1));
            let value = map.get([row, column]).copied().unwrap_or(0.0);
            let light = 160 + (95.0 * f64::from(pixel[0]) / 255.0) as u8;
            whole.put_pixel(left + x, y, Rgb(scale.over([light; 3], value)));
        }
    }
    for y in 0..height {
        let strength = 1.0 - 2.0 * f64::from(y) / f64::from(height.max(2) - 1);
        for x in 0..bar {
            whole.put_pixel(count * (width + GAP) + x, y, Rgb(Scale(1.0).over([255; 3], strength)));
        }
    }
    whole
}

/// Pictures below each other.
pub fn below(pictures: &[RgbImage]) -> RgbImage {
    let width = pictures.iter().map(RgbImage::width).max().unwrap_or(0);
    let height: u32 = pictures.iter().map(|picture| picture.height() + GAP).sum();
    let mut whole = RgbImage::from_pixel(width, height.saturating_sub(GAP), Rgb([255; 3]));
    let mut top = 0;
    for picture in pictures {
        image::imageops::replace(&mut whole, picture, 0, top);
        top += i64::from(picture.height() + GAP);
    }
    whole
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn pooling_and_smoothing_keep_the_mean() {
        let mut map = array![[1.0, 3.0, 9.0], [2.0, 2.0, 1.0], [4.0, 0.0, 7.0]];
        pool(&mut map, 2);
        assert_eq!(map, array![[2.0, 2.0, 5.0], [2.0, 2.0, 5.0], [2.0, 2.0, 7.0]]);
        let mut flat = Array2::from_elem((5, 7), 2.5);
        smooth(&mut flat, 1.5);
        assert!(flat.iter().all(|v| (v - 2.5).abs() < 1e-12));
        let mut point = Array2::zeros((21, 21));
        point[[10, 10]] = 1.0;
        smooth(&mut point, 1.0);
        // A Gaussian of standard deviation 1: e^{−½} at a distance of 1.
        assert!((point[[10, 11]] / point[[10, 10]] - (-0.5f64).exp()).abs() < 1e-12);
        assert!((point.sum() - 1.0).abs() < 1e-12);
    }

    #[test]
    fn maps_lie_side_by_side_with_a_bar_of_colours() {
        let grey = DynamicImage::new_luma8(4, 4);
        let map = array![[1.0, -1.0], [0.0, 5.0]];
        let drawn = picture(&grey, &[(Scale(1.0), map.clone()), (Scale(5.0), map)]);
        assert_eq!(drawn.dimensions(), (2 * (256 + 8) + 16, 256));
        assert_eq!(drawn[(0, 0)], Rgb([178, 24, 43]));
        assert_eq!(drawn[(255, 0)], Rgb([33, 102, 172]));
        assert_eq!(drawn[(0, 255)], Rgb([160; 3]));
        // Beyond full colour it is full; the other map has another scale.
        assert_eq!(drawn[(255, 255)], drawn[(264 + 255, 255)]);
        assert_ne!(drawn[(0, 0)], drawn[(264, 0)]);
        assert_eq!(drawn[(2 * 264, 0)], Rgb([178, 24, 43]));
        assert_eq!(drawn[(2 * 264, 255)], Rgb([33, 102, 172]));
    }
}
