//! Samples between the elements of data: each adds up a few elements around a place, times weights that
//! depend on where exactly it lies, one axis at a time.

use crate::{
    ir::{Dim, Emitter, Error, Expr},
    onnx::DataType,
};

/// How much the elements around a place count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interpolation {
    /// Two of them, by their distance.
    Linear,
    /// Four of them, by Keys' cubic convolution (1981) with a = −0.75.
    Cubic,
}

/// What lies beyond the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beyond {
    /// Zeros.
    Zeros,
    /// What lies at the border.
    Border,
    /// The data, mirrored in their first and last element, or, unless `at_elements`, in their edges.
    Reflection {
        /// Whether the mirrors lie on elements.
        at_elements: bool,
    },
}

/// An element that samples take along one axis, for a list of places.
#[derive(Clone, Copy)]
struct Tap<'e> {
    /// Where it lies, as integers within the data.
    index: Expr<'e>,
    /// How much it counts.
    weight: Expr<'e>,
    /// The derivative of that by the place.
    slope: Expr<'e>,
}

/// Samples of data at lists of places. What belongs to a place is `[batch, places]`.
pub struct Samples<'e> {
    /// The sizes of the data's axes behind batch and channels, as lists of one integer.
    sizes: Vec<Expr<'e>>,
    /// For each of these axes what is taken along it.
    taps: Vec<Vec<Tap<'e>>>,
}

/// An element that samples take, at the crossing of a tap of each axis.
struct Corner<'e> {
    /// Where it lies among all elements behind batch and channels.
    index: Expr<'e>,
    /// The tap of each axis.
    taps: Vec<Tap<'e>>,
}

impl<'e> Corner<'e> {
    fn weight(&self) -> Expr<'e> {
        product(self.taps.iter().map(|tap| tap.weight))
    }

    /// The derivative of the weight by the place along an axis.
    fn slope(&self, axis: usize) -> Expr<'e> {
        let taps = self.taps.iter().enumerate();
        product(taps.map(|(at, tap)| if at == axis { tap.slope } else { tap.weight }))
    }
}

/// The product of what there is one of for each axis.
fn product<'e>(factors: impl Iterator<Item = Expr<'e>>) -> Expr<'e> {
    // Data have an axis: `Samples::new` sees to that.
    factors.reduce(|product, factor| product * factor).expect("an axis")
}

impl<'e> Samples<'e> {
    /// Samples of `x`, `[batch, channels, …]`, at places that are counted in elements from 0 on: one tensor
    /// `[batch, places]` for each axis behind the channels.
    pub fn new(
        x: Expr<'e>,
        places: &[Expr<'e>],
        interpolation: Interpolation,
        beyond: Beyond,
    ) -> Result<Self, Error> {
        if places.is_empty() {
            return Err(Error::Shapes { what: "samples of data without an axis".into() });
        }
        let sizes: Vec<_> = (0..places.len()).map(|axis| x.size(axis + 2)).collect();
        let along = |(&place, &size)| taps_at(place, size, interpolation, beyond);
        let taps = places.iter().zip(&sizes).map(along).collect();
        Ok(Self { sizes, taps })
    }

    /// The elements that samples take, at most as many as four to the number of axes.
    fn corners(&self) -> Vec<Corner<'e>> {
        let mut corners: Vec<Corner<'e>> = Vec::new();
        for (taps, &size) in self.taps.iter().zip(&self.sizes) {
            let first = |&tap: &Tap<'e>| Corner { index: tap.index, taps: vec![tap] };
            let crossed = |corner: &Corner<'e>| {
                let (row, known) = (corner.index * size, corner.taps.clone());
                let cross = move |&tap: &Tap<'e>| Corner {
                    index: row + tap.index,
                    taps: [known.as_slice(), &[tap]].concat(),
                };
                taps.iter().map(cross).collect::<Vec<_>>()
            };
            corners = match corners.is_empty() {
                true => taps.iter().map(first).collect(),
                false => corners.iter().flat_map(crossed).collect(),
            };
        }
        corners
    }

    /// The adjoint of sampling: `sum`, `[batch, channels, elements]`, with what belongs to each sample, `[batch,
    /// channels, places]`, added to the elements that it took.
    pub fn put_onto(&self, s: Expr<'e>, mut sum: Expr<'e>) -> Result<Expr<'e>, Error> {
        for corner in self.corners() {
            let part = s * corner.weight().unsqueeze(&[1]);
            sum = part.scatter_add(for_channels(corner.index, s), 2, sum)?;
        }
        Ok(sum)
    }

    /// The samples, `[batch, channels, places]`; `like` has that shape.
    pub fn taken(&self, x: Expr<'e>, like: Expr<'e>) -> Result<Expr<'e>, Error> {
        let weights = self.corners().into_iter().map(|corner| (corner.index, corner.weight()));
        sum_of_taken(x, like, weights)
    }

    /// What a sample gains along each axis that its place moves along: the sum over channels of `s`,
    /// `[batch, channels, places]`, times the slope of the data there.
    pub fn gain(&self, s: Expr<'e>, x: Expr<'e>) -> Result<Vec<Expr<'e>>, Error> {
        let x = x.reshape(&[0, 0, -1]);
        let mut gains: Vec<Option<Expr<'e>>> = vec![None; self.taps.len()];
        for corner in self.corners() {
            let taken = (s * x.gather_elements(for_channels(corner.index, s), 2)?).sum(&[1], false);
            for (axis, gain) in gains.iter_mut().enumerate() {
                let part = taken * corner.slope(axis);
                *gain = Some(gain.map_or(part, |gain| gain + part));
            }
        }
        Ok(gains.into_iter().flatten().collect())
    }

    /// The magnitudes of what is added up in each sample, `[batch, channels, places]`; `like` has that shape.
    pub fn magnitudes(&self, x: Expr<'e>, like: Expr<'e>) -> Result<Expr<'e>, Error> {
        let weights =
            self.corners().into_iter().map(|corner| (corner.index, corner.weight().abs()));
        sum_of_taken(x.abs(), like, weights)
    }

    /// The slopes of the samples along an axis, `[batch, channels, places]`; `like` has that shape.
    pub fn slopes(&self, x: Expr<'e>, like: Expr<'e>, axis: usize) -> Result<Expr<'e>, Error> {
        let weights = self.corners().into_iter().map(|corner| (corner.index, corner.slope(axis)));
        sum_of_taken(x, like, weights)
    }
}

/// The sum of elements of the data, each times a weight of its place.
fn sum_of_taken<'e>(
    x: Expr<'e>,
    like: Expr<'e>,
    weights: impl Iterator<Item = (Expr<'e>, Expr<'e>)>,
) -> Result<Expr<'e>, Error> {
    let x = x.reshape(&[0, 0, -1]);
    let mut sum: Option<Expr<'e>> = None;
    for (index, weight) in weights {
        let taken = x.gather_elements(for_channels(index, like), 2)? * weight.unsqueeze(&[1]);
        sum = Some(sum.map_or(taken, |sum| sum + taken));
    }
    // There are at least two corners.
    Ok(sum.unwrap_or(like))
}

/// What belongs to places, for each channel of what has the shape `[batch, channels, places]`.
fn for_channels<'e>(index: Expr<'e>, like: Expr<'e>) -> Expr<'e> {
    index.unsqueeze(&[1]).expand_like(like)
}

/// The farthest place that is told from its neighbours in float32.
const FARTHEST: f64 = 16_777_216.0;

/// What samples take along an axis of this size.
fn taps_at<'e>(
    place: Expr<'e>,
    size: Expr<'e>,
    interpolation: Interpolation,
    beyond: Beyond,
) -> Vec<Tap<'e>> {
    // What is no number takes the first element, and what is beyond counting the last: no index is out of range.
    let place = place.where_or(place.equals(place), 0.0).clip(-FARTHEST, FARTHEST);
    let below = place.unary("Floor");
    let behind = place - below;
    let tap = |at: f64, weight, slope| {
        let at = if at.abs() > 0.0 { below + at } else { below };
        let (index, counts) = within(at, size, beyond);
        let masked = |v: Expr<'e>| counts.map_or(v, |counts| v.where_or(counts, 0.0));
        Tap { index, weight: masked(weight), slope: masked(slope) }
    };
    let one = behind * 0.0 + 1.0;
    let taps: Vec<_> = match interpolation {
        Interpolation::Linear => vec![tap(0.0, 1.0 - behind, -one), tap(1.0, behind, one)],
        Interpolation::Cubic => {
            let taps = [-1.0, 0.0, 1.0, 2.0].into_iter().map(|at| {
                let ahead = if at > 0.0 { -1.0 } else { 1.0 };
                let distance = if at > 0.0 { at - behind } else { behind - at };
                let near = at.abs() < 0.5 || (at - 1.0).abs() < 0.5;
                let (weight, slope) = if near { keys_near(distance) } else { keys_far(distance) };
                tap(at, weight, slope * ahead)
            });
            taps.collect()
        }
    };
    let flat = match (beyond, interpolation) {
        (Beyond::Border, _) | (Beyond::Reflection { .. }, Interpolation::Linear) => {
            taps.first().zip(taps.last()).map(|(first, last)| first.index.equals(last.index))
        }
        _ => None,
    };
    // Where all that is taken is one element, slopes cancel, but for a rounding that would count.
    let nothing = place.emitter().scalar(place.ty().elem, 0.0);
    let slope = |tap: &Tap<'e>| flat.map_or(tap.slope, |flat| nothing.where_(flat, tap.slope));
    taps.iter().map(|tap| Tap { slope: slope(tap), ..*tap }).collect()
}

/// The constant of Keys' cubic convolution that ONNX has, as other libraries do.
const KEYS: f64 = -0.75;

/// `(a + 2) d³ − (a + 3) d² + 1` for distances `d` up to 1, and its derivative.
fn keys_near(d: Expr<'_>) -> (Expr<'_>, Expr<'_>) {
    let (cube, square) = (KEYS + 2.0, KEYS + 3.0);
    ((d * cube - square) * d * d + 1.0, (d * (3.0 * cube) - 2.0 * square) * d)
}

/// `a d³ − 5a d² + 8a d − 4a` for distances `d` from 1 to 2, and its derivative.
fn keys_far(d: Expr<'_>) -> (Expr<'_>, Expr<'_>) {
    let weight = ((d - 5.0) * d + 8.0) * d - 4.0;
    (weight * KEYS, ((d * 3.0 - 10.0) * d + 8.0) * KEYS)
}

/// Whole numbers as integers from 0 up to a size, and which of them count if not all do.
fn within<'e>(at: Expr<'e>, size: Expr<'e>, beyond: Beyond) -> (Expr<'e>, Option<Expr<'e>>) {
    let emitter = at.emitter();
    let last = number(size, at.ty().elem) - 1.0;
    let zero = emitter.scalar(at.ty().elem, 0.0);
    let at = match beyond {
        Beyond::Reflection { at_elements } => mirrored(at, last, at_elements),
        _ => at,
    };
    let below = emitter.emit("Min", &[Some(at), Some(last)], vec![]);
    let inside = emitter.emit("Max", &[Some(below), Some(zero)], vec![]);
    let counts = (beyond == Beyond::Zeros).then(|| inside.equals(at));
    (inside.cast(DataType::Int64), counts)
}

/// Whole numbers, mirrored until they lie between 0 and `last`: a triangle wave.
fn mirrored<'e>(at: Expr<'e>, last: Expr<'e>, at_elements: bool) -> Expr<'e> {
    let (first, length) = if at_elements { (0.0, last) } else { (-0.5, last + 1.0) };
    // Of a single element that is its own mirror, every place is that element.
    let one = at.emitter().scalar(at.ty().elem, 1.0);
    let period = at.emitter().emit("Max", &[Some(length * 2.0), Some(one)], vec![]);
    let from_first = at - first;
    let rest = from_first - (from_first / period).unary("Floor") * period;
    length - (rest - length).abs() + first
}

/// A size as a number of that type.
pub fn number(size: Expr<'_>, elem: DataType) -> Expr<'_> {
    let emitter: &Emitter = size.emitter();
    let known = {
        let value = size.value();
        let graph = emitter.graph();
        graph.facts(value).ints().and_then(|ints| ints.first().copied().and_then(Dim::known))
    };
    known.map_or_else(|| size.cast(elem), |n| emitter.floats(elem, &[n as f64]))
}
