//! `Conv`, over any number of spatial axes.

use super::{Call, Error, Kind, Linear, Operator, Range, Role, window::Window};
use crate::graph::{Dim, Expr, Type, View};

pub(super) const OPERATOR: &dyn Operator = &Conv;

struct Conv;

impl Operator for Conv {
    fn names(&self) -> &[&'static str] {
        &["Conv"]
    }

    fn infer(&self, node: View) -> Result<Vec<Type>, Error> {
        let weights = node.ty(1)?;
        let channels = weights.dim(0).unwrap_or(Dim::Unknown);
        Ok(window(node)?.output(node.ty(0)?, channels))
    }

    fn kind(&self, node: View) -> Result<Kind, Error> {
        match (node.is_active(1), node.is_active(2)) {
            (false, false) => Ok(Kind::Weighted),
            (true, _) => {
                Err(Error::Unsupported { what: "a convolution with a computed kernel".into() })
            }
            (false, true) => {
                Err(Error::Unsupported { what: "a convolution with a computed bias".into() })
            }
        }
    }

    fn role(&self, operand: usize) -> Role {
        if operand == 2 { Role::Bias } else { Role::Weight }
    }

    fn range(&self, _node: View) -> Range {
        Range::AsOperands
    }

    fn linear(&self) -> Option<&dyn Linear> {
        Some(self)
    }

    fn adjoint<'e>(
        &self,
        call: &Call<'_, 'e>,
        _wrt: usize,
        s: Expr<'e>,
    ) -> Result<Expr<'e>, Error> {
        let group = call.node.int("group", 1)?;
        window(call.node)?.conv_adjoint(call.raw(0)?, call.x(1)?, s, group)
    }
}

impl Linear for Conv {
    fn features(&self, _node: View) -> Result<Option<usize>, Error> {
        Ok(Some(1))
    }

    fn count(&self, node: View) -> Option<i64> {
        node.ty(1).ok()?.dim(0)?.known()
    }

    /// `W` is [features, channels / group, …].
    fn scale<'e>(&self, node: View, w: Expr<'e>, g: Expr<'e>) -> Result<Expr<'e>, Error> {
        let after: Vec<_> = (1..node.rank(1)?).collect();
        Ok(w * g.unsqueeze(&after))
    }

    fn bias<'e>(&self, node: View, b: Expr<'e>) -> Result<Expr<'e>, Error> {
        let count = self.count(node).ok_or(Error::Unknown { what: "the number of features".into() })?;
        let list = b.reshape(&[-1]);
        let one = list.ty().count() == Some(1) && count != 1;
        let emitter = b.emitter();
        Ok(if one { list + emitter.zeros(list.ty().elem, count as usize) } else { list })
    }

    fn spread<'e>(&self, _node: View, b: Expr<'e>, rank: usize) -> Result<Expr<'e>, Error> {
        let after: Vec<_> = (1..rank.saturating_sub(1)).collect();
        Ok(b.unsqueeze(&after))
    }
}

fn window(node: View) -> Result<Window, Error> {
    let weights = &node.ty(1)?.shape;
    let kernel = weights.as_ref().and_then(|dims| dims.iter().skip(2).map(|d| d.known()).collect());
    Window::new(node, kernel)
}
