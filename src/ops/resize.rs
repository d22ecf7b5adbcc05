//! `Resize`, and `Upsample` before it: interpolation, which is linear in its operand and one axis at a
//! time.

use crate::{
    ir::{Call, Dim, Error, Expr, Kind, NodeRef, Operator, Sign, Type, axis},
    onnx::{DataType, attribute::string, schema::AttributeProto},
};

pub(super) const OPERATOR: &dyn Operator = &Resize;

struct Resize;

const MODES: [&str; 3] = ["nearest", "linear", "cubic"];
const POLICIES: [&str; 3] = ["stretch", "not_larger", "not_smaller"];

impl Operator for Resize {
    fn names(&self) -> &[&'static str] {
        &["Resize", "Upsample"]
    }

    fn attributes(&self) -> &[&'static str] {
        &[
            "antialias",
            "axes",
            "coordinate_transformation_mode",
            "cubic_coeff_a",
            "exclude_outside",
            "extrapolation_value",
            "keep_aspect_ratio_policy",
            "mode",
            "nearest_mode",
        ]
    }

    fn arity(&self) -> usize {
        4
    }

    fn since(&self, name: &str) -> i64 {
        if name == "Resize" { 10 } else { 9 }
    }

    fn infer(&self, node: NodeRef) -> Result<Vec<Type>, Error> {
        let mut ty = node.ty(0)?.clone();
        let axes = axes(node)?;
        if node.string("coordinate_transformation_mode", "half_pixel")? == "tf_crop_and_resize" {
            let count = node.ty(1)?.dim(0).and_then(Dim::known);
            if count.is_some_and(|count| count != 2 * axes.len() as i64) {
                let what = format!("needs a start and an end for each of {} axes", axes.len());
                return Err(Error::Operand { operand: 1, what });
            }
        }
        let (scales, sizes) = (scales(node), sizes_operand(node).and_then(|i| node.contents(i)));
        let aspect = aspect(node)?;
        for (i, &axis) in axes.iter().enumerate() {
            let Some(dim) = ty.shape.as_mut().and_then(|dims| dims.get_mut(axis)) else { continue };
            *dim = match (scales.as_ref().and_then(|s| s.get(i)), sizes.and_then(|s| s.get(i))) {
                (_, Some(&size)) if aspect == Aspect::Free => size,
                (_, Some(_)) => aspect.ratio().map_or(Dim::Unknown, |ratio| {
                    dim.map(false, |n| (n as f32 * ratio).round() as i64)
                }),
                (Some(&scale), None) => {
                    dim.map((scale - 1.0).abs() < f64::EPSILON, |n| (n as f64 * scale) as i64)
                }
                _ => Dim::Unknown,
            };
        }
        Ok(vec![ty])
    }

    fn kind(&self, node: NodeRef) -> Result<Kind, Error> {
        let aspect = aspect(node)?;
        if aspect != Aspect::Free {
            let ratio = aspect.ratio();
            // What only scales say is rounded down.
            let mut sizes = axes(node)?.into_iter().map(|axis| node.ty(0).ok()?.dim(axis)?.known());
            let is_whole = |n: Option<i64>| {
                n.zip(ratio).is_some_and(|(n, ratio)| (n as f32 * ratio).fract() < 0.5)
            };
            if !sizes.all(is_whole) {
                let what =
                    "Resize that keeps the aspect ratio by sizes that are open or rounded up";
                return Err(Error::Unsupported { what: what.into() });
            }
        }
        Ok(match node.string("mode", "nearest")? {
            "nearest" => Kind::Resampling,
            _ => Kind::Sum,
        })
    }

    fn flows(&self, _node: NodeRef, operand: usize) -> bool {
        operand == 0
    }

    fn sign(&self, node: NodeRef) -> Sign {
        let outside = node.float("extrapolation_value", 0.0).is_ok_and(|value| value >= 0.0);
        match node.one_of("mode", &MODES) {
            Ok("nearest" | "linear") if outside => node.sign_of(0),
            _ => Sign::Any,
        }
    }

    fn adjoint<'e>(
        &self,
        call: &Call<'_, 'e>,
        _wrt: usize,
        s: Expr<'e>,
    ) -> Result<Expr<'e>, Error> {
        let mut out = s;
        for along in resized(call, s)? {
            let axis = along.axis;
            out = match along.matrix_is_small(s) {
                true => out.times_along(axis, along.matrix()?)?,
                false => along.brought_back(out)?,
            };
        }
        Ok(out)
    }

    /// Cubic interpolation takes some elements times negative numbers; what counts is how much.
    fn magnitudes<'e>(&self, call: &Call<'_, 'e>) -> Result<Expr<'e>, Error> {
        if call.node.string("mode", "nearest")? != "cubic" {
            return call.magnified().forward();
        }
        let (mut out, y) = (call.x(0)?.abs(), call.y());
        for along in resized(call, y)? {
            if !along.matrix_is_small(y) {
                return Err(along.too_long("cubic"));
            }
            out = out.times_along(along.axis, along.matrix()?.abs().transpose(&[1, 0]))?;
        }
        Ok(out)
    }
}

/// An axis that is resized.
struct Along<'c, 'g, 'e> {
    call: &'c Call<'g, 'e>,
    /// Its place among the axes that scales or sizes are stated for.
    place: usize,
    axis: usize,
    /// How many times as long it becomes, where that is a constant.
    scale: Option<f64>,
    /// The operand, and what has the sizes of the result and its elements' type.
    x: Expr<'e>,
    y: Expr<'e>,
}

/// The axes of a call that are resized, or cropped.
fn resized<'c, 'g, 'e>(
    call: &'c Call<'g, 'e>,
    y: Expr<'e>,
) -> Result<Vec<Along<'c, 'g, 'e>>, Error> {
    let (x, crops, scales) = (call.raw(0)?, crops(call.node)?, scales(call.node));
    let mut resized = Vec::new();
    for (place, axis) in axes(call.node)?.into_iter().enumerate() {
        let scale = scales.as_ref().and_then(|scales| scales.get(place).copied());
        let same = scale.is_some_and(|scale| (scale - 1.0).abs() < f64::EPSILON)
            || scale.is_none() && x.ty().dim(axis) == y.ty().dim(axis);
        if !same || crops {
            resized.push(Along { call, place, axis, scale, x, y });
        }
    }
    Ok(resized)
}

/// The most elements that the matrix of an axis has where the data have fewer.
pub(super) const MATRIX: i64 = 1 << 24;

impl<'e> Along<'_, '_, 'e> {
    /// Whether the matrix that interpolates along the axis is no larger than the data, or than [`MATRIX`].
    /// Images are about as high as they are wide, so that theirs is where sizes are open; a series may be of
    /// any length.
    fn matrix_is_small(&self, s: Expr<'e>) -> bool {
        let (x, y) = (self.x.ty(), s.ty());
        let size = |ty: &Type| ty.dim(self.axis).and_then(Dim::known);
        let Some((from, to)) = size(&x).zip(size(&y)) else {
            return x.rank().is_some_and(|rank| rank > 3) || !self.has_neighbours();
        };
        let data = x.count().max(y.count()).unwrap_or(0);
        from.saturating_mul(to) <= data.max(MATRIX)
    }

    /// Whether every element of the result lies between two neighbours, or on one, and there is a way to
    /// add to elements by their places.
    fn has_neighbours(&self) -> bool {
        let node = self.call.node;
        node.opset() >= 16
            && matches!(node.one_of("mode", &MODES), Ok("nearest" | "linear"))
            && matches!(node.flag("antialias", false), Ok(false))
            && matches!(crops(node), Ok(false))
    }

    fn too_long(&self, how: &str) -> Error {
        let what = format!(
            "{how} interpolation along axis {}, which takes a matrix of more than {MATRIX} elements \
             (linear or nearest, without antialiasing or cropping, from opset 16 on takes none),",
            self.axis
        );
        Error::Unsupported { what }
    }

    /// What an interpolation makes of the identity is its matrix, whatever its mode and convention.
    fn matrix(&self) -> Result<Expr<'e>, Error> {
        let identity = self.x.identity_along(self.axis, self.y.ty().elem)?;
        self.apply(identity, &[])
    }

    /// The adjoint without a matrix: what the operator makes of the places themselves says between which
    /// two neighbours an element lies.
    fn brought_back(&self, s: Expr<'e>) -> Result<Expr<'e>, Error> {
        let mode = self.call.node.string("mode", "nearest")?;
        if !self.has_neighbours() {
            return Err(self.too_long(mode));
        }
        let emitter = self.call.emitter();
        let (row, size) = (emitter.positions(self.x, self.axis)?, self.x.size(self.axis));
        let row = row.reshape(&[1, -1]);
        let (float, whole) = (DataType::Float, DataType::Int64);
        let places = |v: Expr<'e>| v.cast(whole).reshape(&[-1]);
        // Float32 tells places apart up to here.
        if self.x.ty().dim(self.axis).and_then(Dim::known).is_some_and(|n| n > 1 << 24) {
            return Err(self.too_long(mode));
        }
        if mode == "nearest" {
            let nearest = self.apply(row.cast(float), &[])?;
            return s.put_at(places(nearest), false, self.axis, size);
        }
        // Interpolated between 0, 1, 0, 1, …, an element differs from its lower neighbour by its distance.
        let lower = [string("mode", "nearest"), string("nearest_mode", "floor")];
        let parity =
            emitter.emit("Mod", &[Some(row), Some(emitter.ints(&[2]))], vec![]).cast(float);
        let at = places(self.apply(row.cast(float), &lower)?);
        let next = [at + emitter.ints(&[1]), size - emitter.ints(&[1])].map(Some);
        let next = emitter.emit("Min", &next, vec![]);
        let distance = (self.apply(parity, &[])? - self.apply(parity, &lower)?).abs();
        let mut shape = vec![1; s.rank()?];
        shape[self.axis] = -1;
        let of_next = s * distance.cast(s.ty().elem).reshape(&shape);
        let lower = (s - of_next).put_at(at, false, self.axis, size)?;
        Ok(lower + of_next.put_at(next, false, self.axis, size)?)
    }

    /// The operator along this axis, on every row of a matrix.
    fn apply(&self, rows: Expr<'e>, instead: &[AttributeProto]) -> Result<Expr<'e>, Error> {
        let (call, node, emitter) = (self.call, self.call.node, self.call.emitter());
        let one = emitter.floats(DataType::Float, &[1.0]);
        let pair = |first, second| Expr::concat(&[first, second], 0);
        let scales = match (self.scale, scales_operand(node)) {
            (Some(scale), _) => Some(emitter.floats(DataType::Float, &[1.0, scale])),
            (None, Some(operand)) => pair(one, call.raw(operand)?.element(self.place)),
            (None, None) => None,
        };
        let mut attributes = node.attributes().to_vec();
        attributes.retain(|a| {
            let stated = matches!(
                a.name(),
                "axes" | "scales" | "keep_aspect_ratio_policy" | "extrapolation_value"
            );
            !stated && instead.iter().all(|other| other.name() != a.name())
        });
        attributes.extend_from_slice(instead);
        let roi = match node.input(1) {
            Some(_) if crops(node)? => {
                let (roi, count) = (call.raw(1)?, axes(node)?.len());
                let (zero, one) = (roi.element(0) * 0.0, roi.element(0) * 0.0 + 1.0);
                Expr::concat(
                    &[zero, roi.element(self.place), one, roi.element(count + self.place)],
                    0,
                )
            }
            _ => None,
        };
        let sizes = || pair(rows.size(0), self.y.size(self.axis));
        let sizes = if scales.is_none() { sizes() } else { None };
        Ok(rows.resize(roi, scales, sizes, attributes))
    }
}

/// Whether only a region is resized.
fn crops(node: NodeRef) -> Result<bool, Error> {
    let modes = [
        "half_pixel",
        "half_pixel_symmetric",
        "pytorch_half_pixel",
        "align_corners",
        "asymmetric",
        "tf_half_pixel_for_nn",
        "tf_crop_and_resize",
    ];
    Ok(node.one_of("coordinate_transformation_mode", &modes)? == "tf_crop_and_resize")
}

/// The axes that are resized, in the order of the scales or sizes.
fn axes(node: NodeRef) -> Result<Vec<usize>, Error> {
    let rank = node.rank(0)?;
    match node.ints("axes")? {
        Some(axes) => axes.iter().map(|&a| axis(a, rank)).collect(),
        None => Ok((0..rank).collect()),
    }
}

fn scales_operand(node: NodeRef) -> Option<usize> {
    let operand = if node.opset() < 11 { 1 } else { 2 };
    // An empty list stands for none.
    let given = |&i: &usize| {
        node.input(i).is_some_and(|v| node.graph().ty(v).dim(0) != Some(Dim::Known(0)))
    };
    Some(operand).filter(given)
}

fn sizes_operand(node: NodeRef) -> Option<usize> {
    Some(3).filter(|&i| node.opset() >= 11 && node.input(i).is_some())
}

/// Whether sizes are bounds that keep the aspect ratio.
#[derive(Clone, Copy, PartialEq)]
enum Aspect {
    /// Each axis gets its size.
    Free,
    /// All axes become this many times as long, as float32.
    Kept(f32),
    /// That is not known, as one of the sizes is open.
    Open,
}

impl Aspect {
    fn ratio(self) -> Option<f32> {
        match self {
            Self::Kept(ratio) => Some(ratio),
            Self::Free | Self::Open => None,
        }
    }
}

fn aspect(node: NodeRef) -> Result<Aspect, Error> {
    let sizes = sizes_operand(node);
    let pick = match node.one_of("keep_aspect_ratio_policy", &POLICIES)? {
        "not_larger" if sizes.is_some() => f32::min,
        "not_smaller" if sizes.is_some() => f32::max,
        _ => return Ok(Aspect::Free),
    };
    let axes = axes(node)?;
    let ratios = || {
        let sizes = node.constant_ints(sizes?)?;
        let known = |&axis: &usize| node.ty(0).ok()?.dim(axis)?.known();
        let ratio = |(axis, size)| Some(size as f32 / known(axis)? as f32);
        axes.iter().zip(sizes).map(ratio).collect::<Option<Vec<_>>>()?.into_iter().reduce(pick)
    };
    Ok(ratios().map_or(Aspect::Open, Aspect::Kept))
}

/// The scales, if they are constants.
fn scales(node: NodeRef) -> Option<Vec<f64>> {
    match aspect(node).ok()? {
        Aspect::Free => Some(node.constant_floats(scales_operand(node)?)?.to_vec()),
        kept => Some(vec![kept.ratio()?.into(); axes(node).ok()?.len()]),
    }
}
