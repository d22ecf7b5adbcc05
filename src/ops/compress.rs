//! `Compress`: the elements along an axis that a list of booleans chooses.

use crate::ir::{Call, Dim, Error, Expr, Kind, NodeRef, Operator, Sign, Type};
use crate::onnx::attribute::int;

pub(super) const OPERATOR: &dyn Operator = &Compress;

struct Compress;

impl Operator for Compress {
    fn names(&self) -> &[&'static str] {
        &["Compress"]
    }

    fn infer(&self, node: NodeRef) -> Result<Vec<Type>, Error> {
        let ty = node.ty(0)?;
        let mut dims = ty.shape.clone().ok_or(Error::Unknown { what: "the shape".into() })?;
        let kept = match node.contents(1) {
            Some(chosen) if chosen.iter().all(|d| d.known().is_some()) => {
                Dim::Known(chosen.iter().filter(|&&d| d != Dim::Known(0)).count() as i64)
            }
            _ => Dim::Unknown,
        };
        match along(node)? {
            Some(axis) => dims[axis] = kept,
            None => dims = vec![kept],
        }
        Ok(vec![Type::new(ty.elem, dims)])
    }

    fn kind(&self, _node: NodeRef) -> Result<Kind, Error> {
        Ok(Kind::Movement)
    }

    fn flows(&self, _node: NodeRef, operand: usize) -> bool {
        operand == 0
    }

    fn sign(&self, node: NodeRef) -> Sign {
        node.sign_of(0)
    }

    fn adjoint<'e>(
        &self,
        call: &Call<'_, 'e>,
        _wrt: usize,
        s: Expr<'e>,
    ) -> Result<Expr<'e>, Error> {
        let x = call.raw(0)?;
        let condition = call.raw(1)?;
        let along = along(call.node)?;
        let list = if along.is_some() { x } else { x.reshape(&[-1]) };
        let along = along.unwrap_or(0);
        let identity = list.identity_along(along, s.ty().elem)?;
        let axis = vec![int("axis", 1)];
        let matrix = call.emitter().emit("Compress", &[Some(identity), Some(condition)], axis);
        let matrix = matrix.assume(Type::new(s.ty().elem, vec![Dim::Unknown; 2]));
        Ok(s.times_along(along, matrix)?.reshape_like(x))
    }
}

/// The axis, if the tensor is not taken as one list.
fn along(node: NodeRef) -> Result<Option<usize>, Error> {
    let rank = node.rank(0)?;
    node.attribute("axis").map(|_| node.axis("axis", 0, rank)).transpose()
}
