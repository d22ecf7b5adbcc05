//! `Conv`, over any number of spatial axes.

use super::window::{Window, groups};
use crate::ir::{Call, Dim, Error, Expr, Kind, Linear, NodeRef, Operator, Role, Sign, Type};

pub(super) const OPERATOR: &dyn Operator = &Conv;

struct Conv;

impl Operator for Conv {
    fn names(&self) -> &[&'static str] {
        &["Conv"]
    }

    fn attributes(&self) -> &[&'static str] {
        &["auto_pad", "dilations", "group", "kernel_shape", "pads", "strides"]
    }

    fn arity(&self) -> usize {
        3
    }

    fn infer(&self, node: NodeRef) -> Result<Vec<Type>, Error> {
        node.of_one_type(0)?;
        let weights = node.ty(1)?;
        groups(node, node.ty(0)?.dim(1), weights.dim(1))?;
        let channels = weights.dim(0).unwrap_or(Dim::Unknown);
        Ok(window(node)?.output(node.ty(0)?, channels))
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
        node.output().least_count() * w.least_count()
            / w.dim(0).and_then(Dim::known).map_or(1.0, |n| n as f64)
    }

    fn linear(&self) -> Option<&dyn Linear> {
        Some(self)
    }

    fn adjoint<'e>(&self, call: &Call<'_, 'e>, wrt: usize, s: Expr<'e>) -> Result<Expr<'e>, Error> {
        let group = call.node.int("group", 1)?;
        let settled = window(call.node)?.settle(call.x(0)?, 0.0)?;
        if wrt == 1 {
            return settled.window.kernel_adjoint(settled.padded, s, call.raw(1)?, group);
        }
        let g = settled.window.conv_adjoint(settled.padded, call.x(1)?, s, group)?;
        settled.crop(g, call.raw(0)?)
    }
}

impl Linear for Conv {
    fn features(&self, _node: NodeRef) -> Result<Option<usize>, Error> {
        Ok(Some(1))
    }

    fn count(&self, node: NodeRef) -> Option<i64> {
        node.ty(1).ok()?.dim(0)?.known()
    }

    /// `W` is [features, channels / group, …].
    fn scale<'e>(&self, node: NodeRef, w: Expr<'e>, g: Expr<'e>) -> Result<Expr<'e>, Error> {
        let after: Vec<_> = (1..node.rank(1)?).collect();
        Ok(w * g.unsqueeze(&after))
    }

    fn bias<'e>(&self, node: NodeRef, b: Expr<'e>) -> Result<Expr<'e>, Error> {
        bias_list(b, self.count(node))
    }

    fn spread<'e>(&self, _node: NodeRef, b: Expr<'e>, rank: usize) -> Result<Expr<'e>, Error> {
        let after: Vec<_> = (1..rank.saturating_sub(1)).collect();
        Ok(b.unsqueeze(&after))
    }
}

fn window(node: NodeRef) -> Result<Window, Error> {
    Window::new(node, super::window::kernel(node)?)
}

/// A bias that broadcasts against the output as a list of one number per feature.
pub(super) fn bias_list(b: Expr<'_>, count: Option<i64>) -> Result<Expr<'_>, Error> {
    let count = count.ok_or(Error::Unknown { what: "the number of features".into() })?;
    let list = b.reshape(&[-1]);
    let one = list.ty().count() == Some(1) && count != 1;
    let emitter = b.emitter();
    Ok(if one { list + emitter.zeros(list.ty().elem, count as usize) } else { list })
}
