//! `GridSample`: samples of data at the places of a grid (Jaderberg et al. 2015), linear in the data.

use super::sampling::{Beyond, Interpolation, Samples, number};
use crate::{
    ir::{Call, Dim, Error, Expr, Kind, NodeRef, Operator, Sign, Type},
    onnx::DataType,
};

pub(super) const OPERATOR: &dyn Operator = &GridSample;

struct GridSample;

impl Operator for GridSample {
    fn names(&self) -> &[&'static str] {
        &["GridSample"]
    }

    fn attributes(&self) -> &[&'static str] {
        &["align_corners", "mode", "padding_mode"]
    }

    fn arity(&self) -> usize {
        2
    }

    fn since(&self, _name: &str) -> i64 {
        16
    }

    fn infer(&self, node: NodeRef) -> Result<Vec<Type>, Error> {
        let (Some(data), Some(grid)) = (&node.ty(0)?.shape, &node.ty(1)?.shape) else {
            return Err(Error::Unknown { what: "the rank of the data or of the grid".into() });
        };
        let axes = data.len().saturating_sub(2);
        let places = grid.last().and_then(|dim| dim.known());
        if axes == 0 || grid.len() != data.len() || places.is_some_and(|n| n != axes as i64) {
            let (data, grid) = (data.len(), grid.len());
            let what = format!("a grid of {grid} axes for data of {data}");
            return Err(Error::Shapes { what });
        }
        let dims = [&data[..2], &grid[1..=axes]].concat();
        Ok(vec![Type::new(node.ty(0)?.elem, dims)])
    }

    fn kind(&self, node: NodeRef) -> Result<Kind, Error> {
        beyond(node)?;
        let interpolation = interpolation(node)?;
        let axes = node.rank(0)?.saturating_sub(2);
        if axes > 3 || interpolation == Some(Interpolation::Cubic) && axes != 2 {
            let what = format!("GridSample of this mode along {axes} axes");
            return Err(Error::Unsupported { what });
        }
        Ok(match (interpolation, node.is_active(0)) {
            (Some(_), true) => Kind::Sum,
            (None, true) => Kind::Resampling,
            // What constant data have at computed places is a function of the places.
            (Some(_), false) => Kind::Leaf,
            (None, false) => Kind::Stop,
        })
    }

    /// Of the nearest elements, small changes of the grid change nothing.
    fn flows(&self, node: NodeRef, operand: usize) -> bool {
        operand == 0 || matches!(interpolation(node), Ok(Some(_)))
    }

    fn steers(&self, node: NodeRef, operand: usize) -> bool {
        operand == 1 && node.is_active(0)
    }

    fn sign(&self, node: NodeRef) -> Sign {
        match interpolation(node) {
            Ok(Some(Interpolation::Cubic)) | Err(_) => Sign::Any,
            Ok(_) => node.sign_of(0),
        }
    }

    fn multiply_adds(&self, node: NodeRef) -> f64 {
        let axes = node.rank(0).unwrap_or(2).saturating_sub(2);
        let along: f64 = match interpolation(node) {
            Ok(Some(Interpolation::Linear)) => 2.0,
            Ok(Some(Interpolation::Cubic)) => 4.0,
            _ => return 0.0,
        };
        node.output().least_count() * along.powi(axes as i32)
    }

    fn adjoint<'e>(&self, call: &Call<'_, 'e>, wrt: usize, s: Expr<'e>) -> Result<Expr<'e>, Error> {
        let x = call.x(0)?;
        let listed = s.reshape(&[0, 0, -1]);
        if interpolation(call.node)?.is_none() {
            return nearest_adjoint(call, listed);
        }
        let samples = samples(call)?;
        if wrt == 0 {
            let zeros = s.emitter().zeros_like(s.ty().elem, x).reshape(&[0, 0, -1]);
            return Ok(samples.put_onto(listed, zeros)?.reshape_like(x));
        }
        // The grid counts axes from the last, and half the size of an axis is 1.
        let gains = samples.gain(listed, x)?.into_iter().enumerate();
        let gains = gains.map(|(axis, gain)| {
            Ok((gain * scale(call, axis)?).unsqueeze(&[2])) as Result<Expr<'e>, Error>
        });
        let mut gains = gains.collect::<Result<Vec<_>, _>>()?;
        gains.reverse();
        let grid = Expr::concat(&gains, 2).ok_or(Error::Unknown { what: "the rank".into() })?;
        Ok(grid.cast(call.x(1)?.ty().elem).reshape_like(call.raw(1)?))
    }

    fn magnitudes<'e>(&self, call: &Call<'_, 'e>) -> Result<Expr<'e>, Error> {
        let (x, y) = (call.x(0)?, call.y());
        let listed = y.reshape(&[0, 0, -1]);
        if !call.node.is_active(0) {
            let places = listed_places(call)?;
            let samples = samples(call)?;
            let mut sum = listed * 0.0;
            for axis in 0..places.len() {
                // The last axis comes first in the grid.
                let place = places[places.len() - 1 - axis].unsqueeze(&[1]);
                let slope = samples.slopes(x, listed, axis)? * scale(call, axis)?;
                sum = sum + (place * slope).abs();
            }
            return Ok(sum.reshape_like(y));
        }
        if interpolation(call.node)? == Some(Interpolation::Cubic) {
            return Ok(samples(call)?.magnitudes(x, listed)?.reshape_like(y));
        }
        call.clone().with(0, Some(x.abs())).forward()
    }
}

/// The interpolation; none takes the nearest element.
fn interpolation(node: NodeRef) -> Result<Option<Interpolation>, Error> {
    let modes: &[_] = match node.opset() {
        ..20 => &["bilinear", "nearest", "bicubic"],
        _ => &["linear", "nearest", "cubic"],
    };
    Ok(match node.one_of("mode", modes)? {
        "nearest" => None,
        "bicubic" | "cubic" => Some(Interpolation::Cubic),
        _ => Some(Interpolation::Linear),
    })
}

/// What lies beyond the data.
fn beyond(node: NodeRef) -> Result<Beyond, Error> {
    let at_elements = node.flag("align_corners", false)?;
    Ok(match node.one_of("padding_mode", &["zeros", "border", "reflection"])? {
        "border" => Beyond::Border,
        "reflection" => Beyond::Reflection { at_elements },
        _ => Beyond::Zeros,
    })
}

/// The components of the grid, `[batch, places]` each, the last axis first.
fn listed_places<'e>(call: &Call<'_, 'e>) -> Result<Vec<Expr<'e>>, Error> {
    let grid = call.x(1)?.cast(call.x(0)?.ty().elem);
    let last = grid.rank()?.saturating_sub(1);
    let places = grid.split(last, last.saturating_sub(1)).into_iter();
    Ok(places.map(|place| place.reshape(&[0, -1])).collect())
}

/// How many elements of an axis of the data there are to 1 of the grid.
fn scale<'e>(call: &Call<'_, 'e>, axis: usize) -> Result<Expr<'e>, Error> {
    let x = call.x(0)?;
    let size = number(x.size(axis + 2), x.ty().elem);
    let at_elements = call.node.flag("align_corners", false)?;
    Ok(if at_elements { size - 1.0 } else { size } * 0.5)
}

/// The samples that interpolate: −1 and 1 of the grid are the first and the last element of an axis, or
/// their edges.
fn samples<'e>(call: &Call<'_, 'e>) -> Result<Samples<'e>, Error> {
    let x = call.x(0)?;
    let at_elements = call.node.flag("align_corners", false)?;
    let from_last = listed_places(call)?.into_iter().rev().enumerate();
    let places = from_last.map(|(axis, place)| {
        let place = (place + 1.0) * scale(call, axis)?;
        Ok(if at_elements { place } else { place - 0.5 }) as Result<Expr<'e>, Error>
    });
    let places = places.collect::<Result<Vec<_>, _>>()?;
    let interpolation = interpolation(call.node)?.unwrap_or(Interpolation::Linear);
    Samples::new(x, &places, interpolation, beyond(call.node)?)
}

/// Float32 tells whole numbers apart up to here.
const COUNTED: i64 = 1 << 24;

/// What the operator makes of the places of the elements themselves says where a sample comes from, however
/// a runtime rounds.
fn nearest_adjoint<'e>(call: &Call<'_, 'e>, s: Expr<'e>) -> Result<Expr<'e>, Error> {
    let (x, emitter) = (call.x(0)?, call.emitter());
    let known = |dim: &Dim| dim.known();
    let sizes = x.ty().shape.unwrap_or_default();
    let sizes: Option<Vec<_>> = sizes.iter().skip(2).map(known).collect();
    let count = sizes.map(|sizes| sizes.into_iter().fold(1, i64::saturating_mul));
    if count.is_some_and(|count| count >= COUNTED) {
        let what = format!("nearest samples of {COUNTED} elements and more");
        return Err(Error::Unsupported { what });
    }
    let listed = x.reshape(&[0, 0, -1]);
    // Counted from 1 on, so that a 0 is one from beyond the data.
    let counted = emitter.positions(listed, 2)?.cast(DataType::Float) + 1.0;
    let one = emitter.ints(&[1]);
    let sizes = (0..x.rank()?).map(|axis| if axis == 1 { one } else { x.size(axis) });
    let sizes: Vec<_> = sizes.collect();
    let of_batch = Expr::listed(&[sizes[0], one, one]).unwrap_or(one);
    let image = counted.expand_to(of_batch).reshape_to(Expr::listed(&sizes).unwrap_or(one));
    let image = image.cast(call.x(1)?.ty().elem);
    let found = call.clone().with(0, Some(image)).forward()?.reshape(&[0, 1, -1]);
    let s = s * found.is_above(0.5).cast(s.ty().elem);
    let places = emitter.emit("Max", &[Some(found - 1.0), Some(found * 0.0)], vec![]);
    let places = places.cast(DataType::Int64).expand_like(s);
    let zeros = emitter.zeros_like(s.ty().elem, x).reshape(&[0, 0, -1]);
    Ok(s.scatter_add(places, 2, zeros)?.reshape_like(x))
}
