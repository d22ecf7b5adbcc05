//! `Squeeze`: axes of size 1 go.

use super::{Call, Error, Kind, Operator, Range};
use crate::graph::{Dim, Expr, Type, View};

pub(super) const OPERATOR: &dyn Operator = &Squeeze;

struct Squeeze;

impl Operator for Squeeze {
    fn names(&self) -> &'static [&'static str] {
        &["Squeeze"]
    }

    fn infer(&self, node: View) -> Result<Vec<Type>, Error> {
        let ty = node.ty(0)?;
        let rank = node.rank(0)?;
        let dims = ty.shape.as_deref().unwrap_or_default();
        let axes = match node.axes(13, rank)? {
            Some(axes) => axes,
            // Without axes every size of 1 goes, which has to be known.
            None if dims.iter().all(|d| d.known().is_some()) => {
                (0..rank).filter(|&axis| dims[axis] == Dim::Known(1)).collect()
            }
            None => return Err(Error::Unknown { what: "which axes have size 1".into() }),
        };
        let kept = (0..rank).filter(|axis| !axes.contains(axis));
        Ok(vec![Type::new(ty.elem, kept.map(|axis| dims[axis]).collect())])
    }

    fn kind(&self, _node: View) -> Result<Kind, Error> {
        Ok(Kind::Movement)
    }

    fn flows(&self, _node: View, operand: usize) -> bool {
        operand == 0
    }

    fn fold(&self, node: View) -> Option<Vec<Dim>> {
        Some(node.contents(0)?.to_vec())
    }

    fn range(&self, _node: View) -> Range {
        Range::AsOperands
    }

    fn adjoint<'e>(
        &self,
        call: &Call<'_, 'e>,
        _wrt: usize,
        s: Expr<'e>,
    ) -> Result<Expr<'e>, Error> {
        Ok(s.reshape_like(call.raw(0)?))
    }
}
