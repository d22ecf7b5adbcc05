//! `LpPool` and `GlobalLpPool`: (Σ |x|ᵖ)¹ᐟᵖ over windows, or over all spatial axes.

use super::{global_average_pool::global, window::Window};
use crate::ir::{Call, Dim, Error, Expr, Kind, NodeRef, Operator, Sign, Type};

pub(super) const OPERATOR: &dyn Operator = &LpPool;

struct LpPool;

impl Operator for LpPool {
    fn names(&self) -> &[&'static str] {
        &["LpPool", "GlobalLpPool"]
    }

    fn attributes(&self) -> &[&'static str] {
        &["auto_pad", "ceil_mode", "dilations", "kernel_shape", "p", "pads", "strides"]
    }

    fn infer(&self, node: NodeRef) -> Result<Vec<Type>, Error> {
        if node.op_type() == "GlobalLpPool" {
            return global(node);
        }
        let x = node.ty(0)?;
        Ok(Window::new(node, None)?.output(x, x.dim(1).unwrap_or(Dim::Unknown)))
    }

    fn kind(&self, node: NodeRef) -> Result<Kind, Error> {
        if node.op_type() == "LpPool" {
            Window::of_pool(node)?;
        }
        match node.int("p", 2)? {
            1..=1024 => Ok(Kind::Leaf),
            p => Err(Error::Attribute { name: "p".into(), what: format!("is {p}") }),
        }
    }

    fn sign(&self, _node: NodeRef) -> Sign {
        Sign::NonNegative
    }

    /// All contributions are positive, and add up to the result.
    fn magnitudes<'e>(&self, call: &Call<'_, 'e>) -> Result<Expr<'e>, Error> {
        Ok(call.y())
    }

    /// `sign(x) |x|ᵖ⁻¹ ⊙ Wᵀ (s y¹⁻ᵖ)`, where `W` adds up windows; 0 where y is.
    fn adjoint<'e>(
        &self,
        call: &Call<'_, 'e>,
        _wrt: usize,
        s: Expr<'e>,
    ) -> Result<Expr<'e>, Error> {
        let (x, y) = (call.x(0)?, call.y());
        let p = call.node.int("p", 2)?;
        let power = |v: Expr<'e>, n: i64| v.pow(v.emitter().scalar(v.ty().elem, n as f64));
        let (slope, share) = match p {
            1 => (x.sign(), s),
            2 => (x, (s / y).where_or(y.greater(0.0), 0.0)),
            p => (
                x.sign() * power(x.abs(), p - 1),
                (s / power(y, p - 1)).where_or(y.greater(0.0), 0.0),
            ),
        };
        if call.node.op_type() == "GlobalLpPool" {
            return Ok(slope * share);
        }
        let settled = Window::new(call.node, None)?.settle(x, 0.0)?;
        let Some(Dim::Known(channels)) = x.ty().dim(1) else {
            return Err(Error::Unknown { what: "the number of channels".into() });
        };
        let shape = [&[channels, 1], settled.window.kernel.as_slice()].concat();
        let ones = call.emitter().filled(s.ty().elem, 1.0, &shape);
        let sums = settled.window.conv_adjoint(settled.padded, ones, share, channels)?;
        Ok(slope * settled.crop(sums, x)?)
    }
}
