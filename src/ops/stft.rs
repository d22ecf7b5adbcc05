//! `STFT`: the Fourier transforms of frames of a signal, which a window weighs.

use super::fourier::Transform;
use crate::{
    ir::{Call, Dim, Error, Expr, Kind, NodeRef, Operator, Type},
    onnx::attribute::ints,
};

pub(super) const OPERATOR: &dyn Operator = &Stft;

struct Stft;

impl Operator for Stft {
    fn names(&self) -> &[&'static str] {
        &["STFT"]
    }

    fn attributes(&self) -> &[&'static str] {
        &["onesided"]
    }

    fn arity(&self) -> usize {
        4
    }

    fn since(&self, _name: &str) -> i64 {
        17
    }

    fn infer(&self, node: NodeRef) -> Result<Vec<Type>, Error> {
        let signal = node.ty(0)?;
        if node.rank(0)? != 3 {
            return Err(Error::Shapes { what: "a signal without one axis for its parts".into() });
        }
        let dim = |axis| signal.dim(axis).unwrap_or(Dim::Unknown);
        let length = frame_length(node).map_or(Dim::Unknown, Dim::Known);
        let frames = match (dim(1), frame_length(node), frame_step(node)) {
            (Dim::Known(signal), Some(frame), Some(step)) if signal >= frame => {
                Dim::Known((signal - frame) / step + 1)
            }
            _ => Dim::Unknown,
        };
        let onesided = node.flag("onesided", true)?;
        let bins = if onesided { length.map(false, |n| n / 2 + 1) } else { length };
        Ok(vec![Type::new(signal.elem, vec![dim(0), frames, bins, Dim::Known(2)])])
    }

    fn kind(&self, node: NodeRef) -> Result<Kind, Error> {
        match node.is_active(2) {
            true => Err(Error::Unsupported { what: "STFT with a computed window".into() }),
            false => Ok(Kind::Sum),
        }
    }

    fn flows(&self, _node: NodeRef, operand: usize) -> bool {
        operand == 0
    }

    /// Those of the fast transform, by halves.
    fn multiply_adds(&self, node: NodeRef) -> f64 {
        let length = frame_length(node).unwrap_or(2).max(2) as f64;
        node.output().least_count() * length.log2()
    }

    /// Each frame transformed back, weighed again, and added where it came from.
    fn adjoint<'e>(
        &self,
        call: &Call<'_, 'e>,
        _wrt: usize,
        s: Expr<'e>,
    ) -> Result<Expr<'e>, Error> {
        let (x, emitter) = (call.x(0)?, call.emitter());
        let (length, step) = frame(call.node)?;
        let parts = x.ty().dim(2).and_then(Dim::known);
        let parts = parts.ok_or(Error::Unknown { what: "whether the signal is complex".into() })?;
        let g = transform(call, length)?.whole_adjoint(s, parts)?;
        let g = match call.get(2) {
            Some(window) => g * window.reshape(&[-1, 1]),
            None => g,
        };
        let begin = emitter.positions(g, 1)? * emitter.ints(&[step]);
        let places = (begin + emitter.positions(g, 2)?).reshape(&[-1]);
        let joined = g.reshape(&[0, -1, parts]);
        joined.put_at(places, step >= length, 1, x.size(1))
    }

    /// A convolution of the magnitudes of the signal with those of windowed waves.
    fn magnitudes<'e>(&self, call: &Call<'_, 'e>) -> Result<Expr<'e>, Error> {
        let (x, emitter) = (call.x(0)?.abs(), call.emitter());
        let (length, step) = frame(call.node)?;
        let bins = if call.node.flag("onesided", true)? { length / 2 + 1 } else { length };
        let elem = x.ty().elem;
        let window = call.get(2).map(|window| window.abs().reshape(&[1, -1]));
        let waves = transform(call, length)?.waves(bins, length, elem)?;
        let waves = waves.map(|wave| {
            let wave = window.map_or(wave, |window| wave * window);
            wave.unsqueeze(&[1])
        });
        let [cos, sin] = waves;
        let joined = |a, b, axis| Expr::concat(&[a, b], axis).unwrap_or(a);
        let kernel = match x.ty().dim(2) {
            Some(Dim::Known(1)) => joined(cos, sin, 0),
            _ => joined(joined(cos, sin, 1), joined(sin, cos, 1), 0),
        };
        let steps = vec![ints("kernel_shape", &[length]), ints("strides", &[step])];
        let sums = emitter.emit("Conv", &[Some(x.transpose(&[0, 2, 1])), Some(kernel)], steps);
        Ok(sums.reshape(&[0, 2, bins, -1]).transpose(&[0, 3, 2, 1]))
    }
}

fn constant(node: NodeRef, operand: usize) -> Option<i64> {
    match node.constant_ints(operand).as_deref() {
        Some(&[n]) if n > 0 => Some(n),
        _ => None,
    }
}

fn frame_step(node: NodeRef) -> Option<i64> {
    constant(node, 1)
}

/// The length of a frame: stated, or that of the window.
fn frame_length(node: NodeRef) -> Option<i64> {
    match node.input(3) {
        Some(_) => constant(node, 3),
        None => node.ty(2).ok()?.dim(0)?.known(),
    }
}

/// The length of frames, and the steps between them.
fn frame(node: NodeRef) -> Result<(i64, i64), Error> {
    let known = frame_length(node).zip(frame_step(node));
    known.ok_or(Error::Unknown {
        what: "the length of the frames or of the steps between them".into(),
    })
}

/// The transform of a frame.
fn transform<'e>(call: &Call<'_, 'e>, length: i64) -> Result<Transform<'e>, Error> {
    let onesided = call.node.flag("onesided", true)?;
    Ok(Transform { axis: 2, length: call.emitter().ints(&[length]), inverse: false, onesided })
}
