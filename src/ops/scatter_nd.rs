//! `ScatterND`: parts by lists of indices are replaced, added to, or multiplied.

use super::scatter_elements::{Reduction, extremum_adjoint, product_adjoint, product_magnitudes};
use crate::ir::{Call, Error, Expr, Kind, NodeRef, Operator, Type};

pub(super) const OPERATOR: &dyn Operator = &ScatterNd;

struct ScatterNd;

impl Operator for ScatterNd {
    fn names(&self) -> &[&'static str] {
        &["ScatterND"]
    }

    fn attributes(&self) -> &[&'static str] {
        &["reduction"]
    }

    fn arity(&self) -> usize {
        3
    }

    fn since(&self, _name: &str) -> i64 {
        11
    }

    fn infer(&self, node: NodeRef) -> Result<Vec<Type>, Error> {
        let (data, indices, updates) = (node.ty(0)?, node.ty(1)?, node.ty(2)?);
        let depth = indices.shape.as_ref().and_then(|dims| dims.last()?.known());
        if let (Some(data), Some(outer), Some(depth), Some(updates)) =
            (data.rank(), indices.rank(), depth, updates.rank())
            && (outer + data) as i64 - 1 - depth != updates as i64
        {
            return Err(Error::Shapes { what: format!("updates of {updates} axes") });
        }
        node.like_input()
    }

    fn kind(&self, node: NodeRef) -> Result<Kind, Error> {
        Reduction::kind(node)
    }

    fn flows(&self, _node: NodeRef, operand: usize) -> bool {
        operand != 1
    }

    fn adjoint<'e>(&self, call: &Call<'_, 'e>, wrt: usize, s: Expr<'e>) -> Result<Expr<'e>, Error> {
        let indices = call.raw(1)?;
        match (wrt, Reduction::of(call.node)?) {
            (0, Reduction::Add) => Ok(s),
            (0, Reduction::None) => {
                let zeros = call.emitter().zeros_like(s.ty().elem, call.x(2)?);
                Ok(s.scatter_nd(indices, zeros))
            }
            (_, Reduction::Extremum) => {
                let gather = |v: Expr<'e>| Ok(v.gather_nd(indices));
                let add = |v: Expr<'e>, to: Expr<'e>| Ok(to + v.scatter_nd_add(indices, to)?);
                extremum_adjoint(call, wrt, s, gather, add)
            }
            (_, Reduction::Multiply) => {
                let gather = |v: Expr<'e>| Ok(v.gather_nd(indices));
                let add = |v: Expr<'e>, to: Expr<'e>| Ok(to + v.scatter_nd_add(indices, to)?);
                product_adjoint(call, wrt, s, gather, add)
            }
            (_, Reduction::None | Reduction::Add) => Ok(s.gather_nd(indices)),
        }
    }

    fn magnitudes<'e>(&self, call: &Call<'_, 'e>) -> Result<Expr<'e>, Error> {
        if Reduction::of(call.node)? != Reduction::Multiply {
            return call.magnified().forward();
        }
        let indices = call.raw(1)?;
        product_magnitudes(call, |v, to| Ok(to + v.scatter_nd_add(indices, to)?))
    }
}
