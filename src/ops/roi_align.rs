//! `RoiAlign`: means of samples in each part of boxes (He et al. 2017).
//!
//! A sample between elements is one along each axis, and so is a mean of them: of the data `X` that the box lies
//! in, a box has `A X Bᵀ`, where row `i` of `A` says how much the rows of `X` count for part `i` of its height,
//! and `B` the same for its width.

use super::sampling::number;
use crate::{
    ir::{Along, Call, Dim, Error, Expr, Kind, NodeRef, Operator, Sign, Type},
    onnx::DataType,
};

pub(super) const OPERATOR: &dyn Operator = &RoiAlign;

struct RoiAlign;

impl Operator for RoiAlign {
    fn names(&self) -> &[&'static str] {
        &["RoiAlign"]
    }

    fn attributes(&self) -> &[&'static str] {
        &[
            "coordinate_transformation_mode",
            "mode",
            "output_height",
            "output_width",
            "sampling_ratio",
            "spatial_scale",
        ]
    }

    fn arity(&self) -> usize {
        3
    }

    fn since(&self, _name: &str) -> i64 {
        10
    }

    fn infer(&self, node: NodeRef) -> Result<Vec<Type>, Error> {
        if node.rank(0)? != 4 || node.rank(1)? != 2 {
            return Err(Error::Shapes { what: "boxes in data without two spatial axes".into() });
        }
        let [boxes, channels] = [(1, 0), (0, 1)].map(|(operand, axis)| {
            node.ty(operand).ok().and_then(|ty| ty.dim(axis)).unwrap_or(Dim::Unknown)
        });
        let [height, width] = bins(node)?.map(Dim::Known);
        Ok(vec![Type::new(node.ty(0)?.elem, vec![boxes, channels, height, width])])
    }

    fn kind(&self, node: NodeRef) -> Result<Kind, Error> {
        samples(node)?;
        let refused = if node.one_of("mode", &["avg", "max"])? == "max" {
            // The largest of products with weights, in which versions of runtimes differ.
            "RoiAlign of the largest samples"
        } else if !node.is_active(0) {
            "RoiAlign of constant data"
        } else {
            return Ok(Kind::Sum);
        };
        Err(Error::Unsupported { what: refused.into() })
    }

    fn flows(&self, _node: NodeRef, operand: usize) -> bool {
        operand < 2
    }

    fn steers(&self, _node: NodeRef, operand: usize) -> bool {
        operand == 1
    }

    fn sign(&self, node: NodeRef) -> Sign {
        node.sign_of(0)
    }

    fn multiply_adds(&self, node: NodeRef) -> f64 {
        let along = 2.0 * samples(node).ok().flatten().unwrap_or(1) as f64;
        node.output().least_count() * along * along
    }

    fn adjoint<'e>(&self, call: &Call<'_, 'e>, wrt: usize, s: Expr<'e>) -> Result<Expr<'e>, Error> {
        let (x, rows, columns) = (call.x(0)?, Side::new(call, 0)?, Side::new(call, 1)?);
        let (a, b) = (rows.mean(Side::hat)?, columns.mean(Side::hat)?);
        // In which sample of the batch each box lies: 1 there, 0 elsewhere.
        let batch = x.emitter().positions(x, 0)?.reshape(&[1, -1]);
        let lies_in = call.raw(2)?.cast(DataType::Int64).reshape(&[-1, 1]).equals(batch);
        let lies_in = lies_in.cast(s.ty().elem);
        if wrt == 0 {
            return put_back(x, s, a, b, lies_in);
        }
        let along = [s, a, b, lies_in].map(|v| (v, Along::FIRST));
        // What each row and column would gain by counting more, box by box: no more than A and B at once.
        let gains = x.emitter().scan(&[], &along, &[Along::FIRST; 2], |_, parts| {
            let [s, a, b, lies_in] = [0, 1, 2, 3].map(|i| parts[i]);
            let data = (x * lies_in.reshape(&[-1, 1, 1, 1])).sum(&[0], false);
            let of_rows = s.matmul(data.matmul(b.matrix_transpose()?).matrix_transpose()?);
            let of_columns = s.matrix_transpose()?.matmul(a.matmul(data));
            Ok(vec![of_rows.sum(&[0], false), of_columns.sum(&[0], false)])
        })?;
        let mut ends = Vec::new();
        for (side, gain) in [rows, columns].iter().zip(gains) {
            let of_start = (gain * side.mean(Side::slope)?).sum(&[1, 2], false);
            let of_bin = (gain * side.mean(Side::slope_by_bin)?).sum(&[1, 2], false);
            let of_end = of_bin * side.stretches * (side.scale / side.bins as f64);
            ends.push((of_start * side.scale - of_end, of_end));
        }
        // Boxes are x₁, y₁, x₂, y₂; rows come first here.
        let [(top, bottom), (left, right)] = [ends[0], ends[1]];
        let ends = [left, top, right, bottom].map(|v| v.unsqueeze(&[1]));
        Expr::concat(&ends, 1).ok_or(Error::Unknown { what: "the boxes".into() })
    }

    fn magnitudes<'e>(&self, call: &Call<'_, 'e>) -> Result<Expr<'e>, Error> {
        call.clone().with(0, Some(call.x(0)?.abs())).forward()
    }
}

/// `Aᵀ S B` of each box, added up in the sample that the box lies in: one box after the other, so that no more
/// is held than the data.
fn put_back<'e>(
    x: Expr<'e>,
    s: Expr<'e>,
    a: Expr<'e>,
    b: Expr<'e>,
    lies_in: Expr<'e>,
) -> Result<Expr<'e>, Error> {
    let along = [s, a, b, lies_in].map(|v| (v, Along::FIRST));
    let zeros = x.emitter().zeros_like(s.ty().elem, x);
    let sums = x.emitter().scan(&[zeros], &along, &[], |sums, parts| {
        let [s, a, b, lies_in] = [0, 1, 2, 3].map(|i| parts[i]);
        let part = a.matrix_transpose()?.matmul(s).matmul(b).unsqueeze(&[0]);
        Ok(vec![sums[0] + lies_in.reshape(&[-1, 1, 1, 1]) * part])
    })?;
    Ok(sums.first().map_or(zeros, |&sums| sums))
}

/// The height of boxes, or their width, and the samples along it.
struct Side<'e> {
    /// Where boxes start, in elements of the data, `[boxes, 1, 1]`.
    start: Expr<'e>,
    /// The size of a part of a box, `[boxes, 1, 1]`.
    bin: Expr<'e>,
    /// How many samples there are in a part; a number for each box, `[boxes, 1, 1]`, where that depends on its size.
    samples: Result<i64, Expr<'e>>,
    /// 1 for boxes whose end moves that of their last part, 0 for those that are too small, `[boxes]`.
    stretches: Expr<'e>,
    /// How many elements of the data there are to 1 of a box.
    scale: f64,
    /// The number of parts.
    bins: i64,
    /// The numbers 0, 1, … of the parts, `[1, bins, 1]`.
    places: Expr<'e>,
    /// The numbers 0, 1, … of the elements of the data, `[1, 1, size]`.
    elements: Expr<'e>,
    /// Their number, less one.
    last: Expr<'e>,
}

/// More samples in a part of a box than this are taken in a loop.
const WRITTEN_OUT: i64 = 8;

impl<'e> Side<'e> {
    /// The height is side 0, the width side 1.
    fn new(call: &Call<'_, 'e>, side: usize) -> Result<Self, Error> {
        let (node, x, boxes, emitter) = (call.node, call.x(0)?, call.x(1)?, call.emitter());
        let elem = boxes.ty().elem;
        let scale = node.float("spatial_scale", 1.0)?;
        let half_pixel = is_half_pixel(node)?;
        let end = |at: usize| {
            let at = [1 - side + at].map(|n| n as i64);
            boxes.part(1, at[0], at[0] + 1).reshape(&[-1, 1, 1]) * scale
        };
        let (start, length) = (end(0), end(2) - end(0));
        let (start, length, stretches) = match half_pixel {
            true => (start - 0.5, length, length * 0.0 + 1.0),
            false => {
                let least = emitter.scalar(elem, 1.0);
                let at_least = emitter.emit("Max", &[Some(length), Some(least)], vec![]);
                (start, at_least, length.is_above(1.0))
            }
        };
        let bins = bins(node)?[side];
        let bin = length * (1.0 / bins as f64);
        let axis = side + 2;
        Ok(Self {
            start,
            bin,
            samples: samples(node)?.ok_or_else(|| bin.unary("Ceil")),
            stretches: stretches.reshape(&[-1]),
            scale,
            bins,
            places: emitter.counted(bins)?.cast(elem).reshape(&[1, -1, 1]),
            elements: emitter.positions(x, axis)?.cast(elem).reshape(&[1, 1, -1]),
            last: number(x.size(axis), elem) - 1.0,
        })
    }

    /// The mean over the samples in each part of each box of what a function says of their places, as matrices
    /// `[boxes, bins, size]`. The function is given the place in the data, `[boxes, bins, 1]`, and how many parts it
    /// lies behind the start.
    fn mean(&self, of: impl Fn(&Self, Expr<'e>, Expr<'e>) -> Expr<'e>) -> Result<Expr<'e>, Error> {
        let emitter = self.start.emitter();
        let elem = self.start.ty().elem;
        let (count, most) = match self.samples {
            Ok(n) => (emitter.scalar(elem, n as f64), emitter.ints(&[n])),
            Err(count) => (count, count.max(&[0]).cast(DataType::Int64)),
        };
        // Boxes without a size have no samples.
        let one = emitter.scalar(elem, 1.0);
        let divisor = emitter.emit("Max", &[Some(count), Some(one)], vec![]);
        let sample = |number: Expr<'e>| {
            let behind = self.places + (number + 0.5) / divisor;
            let place = self.start + self.bin * behind;
            // Beyond the data by up to an element, samples are what lies at the border.
            let beyond = (place - self.last * 0.5).abs().exceeds(self.last * 0.5 + 1.0);
            let value = of(self, place, behind);
            let taken = number.emitter().scalar(elem, 0.0).where_(beyond, value);
            (taken, number)
        };
        if let Ok(n @ 1..=WRITTEN_OUT) = self.samples {
            let each = (0..n).map(|i| sample(emitter.scalar(elem, i as f64)).0);
            let sum = each.reduce(|sum, part| sum + part);
            return Ok(sum.unwrap_or(self.start) * (1.0 / n as f64));
        }
        let zeros = self.start * self.places * self.elements * 0.0;
        let last = emitter.repeat(Some(most.reshape(&[])), None, &[zeros], |inputs| {
            let (part, number) = sample(inputs[0].cast(elem));
            // Small boxes have fewer samples than others.
            let part = part.where_or(count.exceeds(number), 0.0);
            Ok(vec![inputs[1].unary("Identity"), inputs[2] + part / divisor])
        })?;
        Ok(last.first().map_or(zeros, |&sum| sum))
    }

    /// How far a place within the data lies behind each element.
    fn behind(&self, place: Expr<'e>) -> Expr<'e> {
        let emitter = place.emitter();
        let below = emitter.emit("Min", &[Some(place), Some(self.last)], vec![]);
        let zero = emitter.scalar(place.ty().elem, 0.0);
        emitter.emit("Max", &[Some(below), Some(zero)], vec![]) - self.elements
    }

    /// How much each element counts for a sample: all if it is there, nothing from the next element on.
    fn hat(&self, place: Expr<'e>, _behind: Expr<'e>) -> Expr<'e> {
        (1.0 - self.behind(place).abs()).relu()
    }

    /// How that grows with the place.
    fn slope(&self, place: Expr<'e>, _behind: Expr<'e>) -> Expr<'e> {
        let distance = self.behind(place);
        let inside = (place - self.last * 0.5).abs();
        let slope = -distance.sign() * distance.abs().is_below(1.0);
        slope.where_or((self.last * 0.5).exceeds(inside), 0.0)
    }

    /// How it grows with the size of a part.
    fn slope_by_bin(&self, place: Expr<'e>, behind: Expr<'e>) -> Expr<'e> {
        self.slope(place, behind) * behind
    }
}

/// The numbers of rows and columns that boxes have.
fn bins(node: NodeRef) -> Result<[i64; 2], Error> {
    let size = |name: &str| match node.int(name, 1)? {
        size @ 1..=0xffff => Ok(size),
        size => Err(Error::Attribute { name: name.into(), what: format!("is {size}") }),
    };
    Ok([size("output_height")?, size("output_width")?])
}

/// How many samples of a bin there may be along an axis: far more than any network takes, and each is computed.
const MOST_SAMPLES: i64 = 1 << 10;

/// How many samples there are along a part; where that is not stated, one for each element that it covers.
fn samples(node: NodeRef) -> Result<Option<i64>, Error> {
    match node.int("sampling_ratio", 0)? {
        0 => Ok(None),
        n @ 1..=MOST_SAMPLES => Ok(Some(n)),
        n => Err(Error::Attribute { name: "sampling_ratio".into(), what: format!("is {n}") }),
    }
}

/// Whether places are shifted by half an element, as they are since opset 16.
fn is_half_pixel(node: NodeRef) -> Result<bool, Error> {
    if node.opset() < 16 {
        return Ok(false);
    }
    let mode =
        node.one_of("coordinate_transformation_mode", &["half_pixel", "output_half_pixel"])?;
    Ok(mode == "half_pixel")
}
