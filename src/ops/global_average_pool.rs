//! `GlobalAveragePool`: the mean over the spatial axes.

use super::reduce;
use crate::ir::{Call, Dim, Error, Expr, Kind, NodeRef, Operator, Sign, Type};

pub(super) const OPERATOR: &dyn Operator = &GlobalAveragePool;

struct GlobalAveragePool;

impl Operator for GlobalAveragePool {
    fn names(&self) -> &[&'static str] {
        &["GlobalAveragePool"]
    }

    fn infer(&self, node: NodeRef) -> Result<Vec<Type>, Error> {
        global(node)
    }

    fn kind(&self, _node: NodeRef) -> Result<Kind, Error> {
        Ok(Kind::Sum)
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
        let axes: Vec<_> = (2..call.node.rank(0)?).collect();
        Ok(reduce::mean(s, call.raw(0)?, &axes).expand_like(call.raw(0)?))
    }
}

/// The type of a pool over all spatial axes.
pub(super) fn global(node: NodeRef) -> Result<Vec<Type>, Error> {
    let ty = node.ty(0)?;
    let Some(shape) = &ty.shape else { return Ok(Vec::new()) };
    if shape.len() < 3 {
        return Err(Error::Shapes { what: "a pool over no spatial axes".into() });
    }
    let dim = |(axis, &dim)| if axis < 2 { dim } else { Dim::Known(1) };
    Ok(vec![Type::new(ty.elem, shape.iter().enumerate().map(dim).collect())])
}
