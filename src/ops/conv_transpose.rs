//! `ConvTranspose`: the adjoint of a convolution, as a layer of its own.

use super::window::{Window, groups};
use crate::ir::{Call, Dim, Error, Expr, Kind, Linear, NodeRef, Operator, Role, Sign, Type};

pub(super) const OPERATOR: &dyn Operator = &ConvTranspose;

struct ConvTranspose;

impl Operator for ConvTranspose {
    fn names(&self) -> &[&'static str] {
        &["ConvTranspose"]
    }

    fn attributes(&self) -> &[&'static str] {
        &[
            "auto_pad",
            "dilations",
            "group",
            "kernel_shape",
            "output_padding",
            "output_shape",
            "pads",
            "strides",
        ]
    }

    fn arity(&self) -> usize {
        3
    }

    fn infer(&self, node: NodeRef) -> Result<Vec<Type>, Error> {
        let channels = node.ty(1)?.dim(1).unwrap_or(Dim::Unknown);
        let group = groups(node, None, None)?;
        let channels = channels.map(group == 1, |n| n.saturating_mul(group));
        let (window, output_padding) = Window::transposed(node)?;
        Ok(window.transposed_output(node.ty(0)?, channels, &output_padding))
    }

    fn kind(&self, node: NodeRef) -> Result<Kind, Error> {
        if node.is_active(2) {
            return Err(Error::Unsupported { what: "a convolution with a computed bias".into() });
        }
        let both = node.is_active(0) && node.is_active(1);
        Ok(if both { Kind::Product } else { Kind::Weighted })
    }

    fn role(&self, operand: usize) -> Option<Role> {
        Some(if operand == 2 { Role::Bias } else { Role::Weight })
    }

    fn sign(&self, _node: NodeRef) -> Sign {
        Sign::AsOperands
    }

    fn multiply_adds(&self, node: NodeRef) -> f64 {
        let Ok(w) = node.ty(1) else { return 0.0 };
        node.ty(0).map_or(0.0, |x| x.least_count()) * w.least_count()
            / w.dim(0).and_then(Dim::known).map_or(1.0, |n| n as f64)
    }

    fn linear(&self) -> Option<&dyn Linear> {
        Some(self)
    }

    fn adjoint<'e>(&self, call: &Call<'_, 'e>, wrt: usize, s: Expr<'e>) -> Result<Expr<'e>, Error> {
        let group = call.node.int("group", 1)?;
        let (window, _) = Window::transposed(call.node)?;
        if wrt == 1 {
            return window.kernel_adjoint(s, call.x(0)?, call.raw(1)?, group);
        }
        // Output padding beyond a step is one window more than there were.
        let x = call.raw(0)?;
        let size = |axis| call.node.ty(1).ok()?.dim(axis)?.known();
        let channels = size(0).map(|channels| channels / group.max(1));
        let mut out = window.conv(s, call.x(1)?.for_gradient(channels, size(1)), group);
        for axis in 2..window.kernel.len() + 2 {
            let (have, wanted) = (out.ty().dim(axis), x.ty().dim(axis));
            if wanted.and_then(Dim::known).is_none() || have != wanted {
                out = out.slice(axis, s.emitter().ints(&[0]), x.size(axis))?;
            }
        }
        Ok(out)
    }
}

impl Linear for ConvTranspose {
    fn features(&self, _node: NodeRef) -> Result<Option<usize>, Error> {
        Ok(Some(1))
    }

    fn count(&self, node: NodeRef) -> Option<i64> {
        let group = node.int("group", 1).ok()?;
        node.ty(1).ok()?.dim(1)?.known()?.checked_mul(group)
    }

    /// `W` is [channels, features / group, …], with the channels of a group side by side.
    fn scale<'e>(&self, node: NodeRef, w: Expr<'e>, g: Expr<'e>) -> Result<Expr<'e>, Error> {
        let group = node.int("group", 1)?;
        let spatial: Vec<_> = (2..node.rank(1)?).collect();
        if group == 1 {
            return Ok(w * g.unsqueeze(&[&[0], spatial.as_slice()].concat()));
        }
        let known = |axis| node.ty(1).ok()?.dim(axis)?.known();
        let dims: Option<Vec<_>> = (1..node.rank(1)?).map(known).collect();
        let dims = dims.ok_or(Error::Unknown { what: "the shape of the weights".into() })?;
        let grouped = w.reshape(&[&[group, -1], dims.as_slice()].concat());
        let ones = vec![1; spatial.len()];
        let g = g.reshape(&[&[group, 1, dims[0]], ones.as_slice()].concat());
        Ok((grouped * g).reshape_like(w))
    }

    fn bias<'e>(&self, node: NodeRef, b: Expr<'e>) -> Result<Expr<'e>, Error> {
        super::conv::bias_list(b, self.count(node))
    }

    fn spread<'e>(&self, _node: NodeRef, b: Expr<'e>, rank: usize) -> Result<Expr<'e>, Error> {
        let after: Vec<_> = (1..rank.saturating_sub(1)).collect();
        Ok(b.unsqueeze(&after))
    }
}
