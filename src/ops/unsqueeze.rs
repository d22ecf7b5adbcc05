//! `Unsqueeze`: new axes of size 1.

use super::{Call, Error, Kind, Operator, Range};
use crate::graph::{Dim, Expr, Type, View};

pub(super) const OPERATOR: &dyn Operator = &Unsqueeze;

struct Unsqueeze;

impl Operator for Unsqueeze {
    fn names(&self) -> &'static [&'static str] {
        &["Unsqueeze"]
    }

    fn infer(&self, node: View) -> Result<Vec<Type>, Error> {
        let ty = node.ty(0)?;
        let rank = node.rank(0)?;
        let stated = if node.opset() < 13 { node.ints("axes")?.map(<[i64]>::len) } else { None };
        let count = stated.or_else(|| node.constant_ints(1).map(|axes| axes.len()));
        let rank = rank + count.ok_or(Error::Unknown { what: "the axes".into() })?;
        let axes = node.axes(13, rank)?.unwrap_or_default();
        let mut old = ty.shape.iter().flatten().copied();
        let dim = |axis| if axes.contains(&axis) { Some(Dim::Known(1)) } else { old.next() };
        let dims: Vec<_> = (0..rank).map_while(dim).collect();
        if dims.len() != rank {
            return Err(Error::Shapes { what: format!("the axes {axes:?} are given twice") });
        }
        Ok(vec![Type::new(ty.elem, dims)])
    }

    fn kind(&self, _node: View) -> Result<Kind, Error> {
        Ok(Kind::Movement)
    }

    fn flows(&self, _node: View, operand: usize) -> bool {
        operand == 0
    }

    fn fold(&self, node: View) -> Option<Vec<Dim>> {
        // A number becomes a list of one; longer lists would become matrices.
        Some(node.contents(0)?.to_vec()).filter(|_| node.rank(0) == Ok(0))
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
