//! `MaxPool`.

use super::{places::Places, window::Window};
use crate::{
    ir::{Call, Dim, Error, Expr, Kind, NodeRef, Operator, Sign, Type},
    onnx::{DataType, schema::TensorProto},
};

pub(super) const OPERATOR: &dyn Operator = &MaxPool;

struct MaxPool;

impl Operator for MaxPool {
    fn names(&self) -> &[&'static str] {
        &["MaxPool"]
    }

    fn attributes(&self) -> &[&'static str] {
        &["auto_pad", "ceil_mode", "dilations", "kernel_shape", "pads", "storage_order", "strides"]
    }

    fn infer(&self, node: NodeRef) -> Result<Vec<Type>, Error> {
        let x = node.ty(0)?;
        let mut types = Window::new(node, None)?.output(x, x.dim(1).unwrap_or(Dim::Unknown));
        types.extend(types.first().map(|ty| ty.with(DataType::Int64)));
        Ok(types)
    }

    fn kind(&self, node: NodeRef) -> Result<Kind, Error> {
        Window::of_pool(node).map(|_| Kind::Max)
    }

    fn sign(&self, _node: NodeRef) -> Sign {
        Sign::AsOperands
    }

    /// Every window's elements are laid out along an axis of their own, `s` is put where the first
    /// largest lies, and the layout is undone by its adjoint. Unlike a scatter over the optional
    /// output `Indices`, this leaves the original node as it is, works at every opset, for windows
    /// that overlap too, and on runtimes that have no `Indices`.
    fn adjoint<'e>(
        &self,
        call: &Call<'_, 'e>,
        _wrt: usize,
        s: Expr<'e>,
    ) -> Result<Expr<'e>, Error> {
        let x = call.x(0)?;
        let window = Window::new(call.node, None)?;
        let Some(Dim::Known(channels)) = x.ty().dim(1) else {
            return Err(Error::Unknown { what: "the number of channels".into() });
        };
        // Padding must never win, so it is no zero here but the lowest number there is.
        let settled = window.settle(x, f64::from(f32::MIN))?;
        if call.emitter().lowering().split_windows
            && let Some(places) = Places::new(&settled.window, settled.padded)
        {
            return settled.crop(apart(&places, settled.padded, call.y(), s)?, x);
        }
        if window.tiles(&x.ty()) {
            return tiled(&window, x, s);
        }
        settled.crop(sliding(&settled.window, channels, settled.padded, s)?, x)
    }
}

/// `s` where the largest element along axis 2 of `elements` lies, the first on ties; 0 elsewhere.
pub(super) fn to_first_largest<'e>(elements: Expr<'e>, s: Expr<'e>) -> Result<Expr<'e>, Error> {
    let positions = s.emitter().positions(elements, 2)?;
    let winner = elements.arg_max(2).named("winner");
    Ok(s.masked(winner.equals(positions)).named("routed"))
}

/// Place by place: what is left of `s` goes to the first element that is the largest.
fn apart<'e>(places: &Places, x: Expr<'e>, y: Expr<'e>, s: Expr<'e>) -> Result<Expr<'e>, Error> {
    let elements = places.take_apart(x, f64::from(f32::MIN));
    let (mut parts, mut rest) = (Vec::with_capacity(elements.len()), s);
    let others = elements.len().saturating_sub(1);
    for element in &elements[..others] {
        let part = rest * element.equals(y).cast(s.ty().elem);
        parts.push(part.named("routed"));
        rest = (rest - part).named("rest");
    }
    // What no other place got is the last one's.
    parts.push(rest);
    let nothing = || Error::Unsupported { what: "a window without elements".into() };
    places.put_together(&parts).ok_or_else(nothing)
}

/// Windows side by side: the layout is a reshape.
fn tiled<'e>(window: &Window, x: Expr<'e>, s: Expr<'e>) -> Result<Expr<'e>, Error> {
    let n = window.kernel.len();
    let dims: Vec<_> =
        x.ty().shape.unwrap_or_default().iter().map(|d| d.known().unwrap_or(-1)).collect();
    let steps: Vec<_> = (0..n).map(|axis| dims[2 + axis] / window.kernel[axis]).collect();
    let pairs = steps.iter().zip(&window.kernel).flat_map(|(&step, &k)| [step, k]);
    let split: Vec<_> = dims[..2].iter().copied().chain(pairs).collect();
    // Batch, channels, then the axes within the windows, then those over them.
    let within = (0..n).map(|axis| 3 + 2 * axis);
    let over = (0..n).map(|axis| 2 + 2 * axis);
    let order: Vec<_> = [0, 1].into_iter().chain(within).chain(over).collect();
    let mut inverse = vec![0; order.len()];
    order.iter().enumerate().for_each(|(to, &from)| inverse[from] = to);

    let separate = x.reshape(&split).transpose(&order);
    let flat: Vec<_> = [dims[0], dims[1], window.count()].into_iter().chain(steps).collect();
    let routed = to_first_largest(separate.reshape(&flat), s.unsqueeze(&[2]))?;
    Ok(routed.reshape_like(separate).transpose(&inverse).reshape_like(x))
}

/// Windows that overlap, leave gaps or reach into padding: the layout is a convolution with one
/// kernel for each of their places, per channel.
fn sliding<'e>(
    window: &Window,
    channels: i64,
    x: Expr<'e>,
    s: Expr<'e>,
) -> Result<Expr<'e>, Error> {
    let emitter = s.emitter();
    let elem = x.ty().elem;
    let places = window.count() as usize;
    if places > 1024 {
        return Err(Error::Unsupported {
            what: format!("an overlapping window of {places} elements"),
        });
    }
    let mut picks = vec![0.0; places * places];
    picks.iter_mut().step_by(places + 1).for_each(|pick| *pick = 1.0);
    let kernel: Vec<_> =
        [places, 1].into_iter().chain(window.kernel.iter().map(|&k| k as usize)).collect();
    let picks = emitter.constant(TensorProto::of_floats(elem, &kernel, &picks));
    let mut repeats = vec![1; kernel.len()];
    repeats[0] = channels;
    let picks = emitter.emit("Tile", &[Some(picks), Some(emitter.ints(&repeats))], vec![]);

    let (padded, inner) = window.with_padding(x, f64::from(f32::MIN));
    let elements = inner.conv(padded, picks.named("picks"), channels).named("elements");
    let elements = window.cut(elements, s)?;
    let rows = [0, channels, places as i64, -1];
    let routed = to_first_largest(elements.reshape(&rows), s.reshape(&[0, channels, 1, -1]))?;
    window.conv_adjoint(x, picks, routed.reshape_like(elements), channels)
}
