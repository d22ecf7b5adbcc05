//! `AveragePool`.

use super::{places::Places, window::Window};
use crate::ir::{Call, Dim, Error, Expr, Kind, NodeRef, Operator, Sign, Type};

pub(super) const OPERATOR: &dyn Operator = &AveragePool;

struct AveragePool;

impl Operator for AveragePool {
    fn names(&self) -> &[&'static str] {
        &["AveragePool"]
    }

    fn attributes(&self) -> &[&'static str] {
        &[
            "auto_pad",
            "ceil_mode",
            "count_include_pad",
            "dilations",
            "kernel_shape",
            "pads",
            "strides",
        ]
    }

    fn infer(&self, node: NodeRef) -> Result<Vec<Type>, Error> {
        let x = node.ty(0)?;
        Ok(Window::new(node, None)?.output(x, x.dim(1).unwrap_or(Dim::Unknown)))
    }

    fn kind(&self, node: NodeRef) -> Result<Kind, Error> {
        Window::of_pool(node).map(|_| Kind::Sum)
    }

    fn sign(&self, _node: NodeRef) -> Sign {
        Sign::AsOperands
    }

    fn adjoint<'e>(
        &self,
        call: &Call<'_, 'e>,
        _wrt: usize,
        s: Expr<'e>,
    ) -> Result<Expr<'e>, Error> {
        let x = call.x(0)?;
        let settled = Window::new(call.node, None)?.settle(x, 0.0)?;
        let window = &settled.window;
        let Some(Dim::Known(channels)) = x.ty().dim(1) else {
            return Err(Error::Unknown { what: "the number of channels".into() });
        };
        let elem = s.ty().elem;
        let ones = |channels: i64| {
            let shape = [&[channels, 1], window.kernel.as_slice()].concat();
            call.emitter().filled(elem, 1.0, &shape)
        };
        let padded = window.before.iter().chain(&window.after).any(|&p| p > 0);
        let s = if window.ceil
            || settled.is_padded()
            || padded && !call.node.flag("count_include_pad", false)?
        {
            // How many elements a mean is over depends on where it is. The mean of ones is the
            // number of ones over that of elements, whatever convention the runtime follows.
            let sizes: Option<Vec<_>> = x.ty().shape.and_then(|dims| {
                [Some(1), Some(1)].into_iter().chain(dims[2..].iter().map(|d| d.known())).collect()
            });
            let (field, channels) = match sizes {
                Some(sizes) => (call.emitter().filled(elem, 1.0, &sizes), 1),
                None => (call.emitter().scalar(elem, 1.0).expand_like(x), channels),
            };
            let mean = call.clone().with(0, Some(field)).forward()?;
            let field = Window::new(call.node, None)?.settle(field, 0.0)?.padded;
            let counts = window.cut(window.conv(field, ones(channels), channels), s)?;
            s * (mean / counts).named("weights")
        } else {
            s / window.count() as f64
        };
        if call.emitter().lowering().split_windows
            && window.tiles(&settled.padded.ty())
            && let Some(places) = Places::new(window, settled.padded)
            && let Some(g) = places.put_together(&vec![s; window.count() as usize])
        {
            return Ok(g);
        }
        settled.crop(window.conv_adjoint(settled.padded, ones(channels), s, channels)?, x)
    }
}
