//! `Resize`, and `Upsample` before it: interpolation, which is linear in its operand and one axis at a
//! time.

use crate::{
    ir::{Call, Dim, Error, Expr, Kind, NodeRef, Operator, Sign, Type, axis},
    onnx::DataType,
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
        let stretches = node.one_of("keep_aspect_ratio_policy", &POLICIES)? == "stretch";
        for (i, &axis) in axes.iter().enumerate() {
            let Some(dim) = ty.shape.as_mut().and_then(|dims| dims.get_mut(axis)) else { continue };
            *dim = match (scales.as_ref().and_then(|s| s.get(i)), sizes.and_then(|s| s.get(i))) {
                (_, Some(&size)) if stretches => size,
                (Some(&scale), None) => {
                    dim.map((scale - 1.0).abs() < f64::EPSILON, |n| (n as f64 * scale) as i64)
                }
                _ => Dim::Unknown,
            };
        }
        Ok(vec![ty])
    }

    fn kind(&self, node: NodeRef) -> Result<Kind, Error> {
        if node.one_of("keep_aspect_ratio_policy", &POLICIES)? != "stretch" {
            return Err(Error::Unsupported { what: "Resize that keeps the aspect ratio".into() });
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

    /// What an interpolation makes of the identity is its matrix, whatever its mode and convention:
    /// each axis is multiplied by that of its own.
    fn adjoint<'e>(
        &self,
        call: &Call<'_, 'e>,
        _wrt: usize,
        s: Expr<'e>,
    ) -> Result<Expr<'e>, Error> {
        along(call, s, s, |matrix| matrix)
    }

    /// Cubic interpolation takes some elements times negative numbers; what counts is how much.
    fn magnitudes<'e>(&self, call: &Call<'_, 'e>) -> Result<Expr<'e>, Error> {
        if call.node.string("mode", "nearest")? != "cubic" {
            return call.magnified().forward();
        }
        along(call, call.x(0)?.abs(), call.y(), |matrix| matrix.abs().transpose(&[1, 0]))
    }
}

/// `v` times a form of the matrix of each resized axis; `y` has the sizes of the result.
fn along<'e>(
    call: &Call<'_, 'e>,
    v: Expr<'e>,
    y: Expr<'e>,
    form: impl Fn(Expr<'e>) -> Expr<'e>,
) -> Result<Expr<'e>, Error> {
    let (node, x) = (call.node, call.raw(0)?);
    let crops = crops(node)?;
    let scales = scales(node);
    let mut out = v;
    for (i, axis) in axes(node)?.into_iter().enumerate() {
        let scale = scales.as_ref().and_then(|scales| scales.get(i).copied());
        let same = scale.is_some_and(|scale| (scale - 1.0).abs() < f64::EPSILON)
            || scale.is_none() && x.ty().dim(axis) == y.ty().dim(axis);
        if !same || crops {
            out = out.times_along(axis, form(matrix(call, i, axis, scale, y)?))?;
        }
    }
    Ok(out)
}

/// The operator on the identity along the `i`-th resized axis.
fn matrix<'e>(
    call: &Call<'_, 'e>,
    i: usize,
    axis: usize,
    scale: Option<f64>,
    s: Expr<'e>,
) -> Result<Expr<'e>, Error> {
    let (node, emitter, x) = (call.node, call.emitter(), call.raw(0)?);
    let identity = x.identity_along(axis, s.ty().elem)?;
    let one = emitter.floats(DataType::Float, &[1.0]);
    let pair = |first, second| Expr::concat(&[first, second], 0);
    let scales = match (scale, scales_operand(node)) {
        (Some(scale), _) => Some(emitter.floats(DataType::Float, &[1.0, scale])),
        (None, Some(operand)) => pair(one, call.raw(operand)?.element(i)),
        (None, None) => None,
    };
    let mut attributes = node.attributes().to_vec();
    attributes.retain(|a| {
        !matches!(a.name(), "axes" | "scales" | "keep_aspect_ratio_policy" | "extrapolation_value")
    });
    let roi = match node.input(1) {
        Some(_) if crops(node)? => {
            let (roi, count) = (call.raw(1)?, axes(node)?.len());
            let (zero, one) = (roi.element(0) * 0.0, roi.element(0) * 0.0 + 1.0);
            Expr::concat(&[zero, roi.element(i), one, roi.element(count + i)], 0)
        }
        _ => None,
    };
    let sizes = if scales.is_none() { pair(x.size(axis), s.size(axis)) } else { None };
    Ok(identity.resize(roi, scales, sizes, attributes))
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

/// The scales, if they are constants.
fn scales(node: NodeRef) -> Option<Vec<f64>> {
    Some(node.constant_floats(scales_operand(node)?)?.to_vec())
}
