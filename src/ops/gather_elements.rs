//! `GatherElements`: from each list along an axis, elements by their indices.

use crate::ir::{Call, Dim, Error, Expr, Kind, NodeRef, Operator, Sign, Type};

pub(super) const OPERATOR: &dyn Operator = &GatherElements;

struct GatherElements;

impl Operator for GatherElements {
    fn names(&self) -> &[&'static str] {
        &["GatherElements"]
    }

    fn since(&self, _name: &str) -> i64 {
        11
    }

    fn infer(&self, node: NodeRef) -> Result<Vec<Type>, Error> {
        Ok(vec![node.ty(1)?.with(node.ty(0)?.elem)])
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
        let (x, indices) = (call.x(0)?, call.raw(1)?);
        let along = call.node.axis("axis", 0, call.node.rank(0)?)?;
        if call.emitter().opset() >= 16 {
            let zeros = call.emitter().zeros_like(s.ty().elem, x);
            return Ok(zeros.scatter(indices, s, along, true));
        }
        // Without a scatter that adds: every index against every place.
        let places = call.emitter().positions(x.unsqueeze(&[along]), along + 1)?;
        let hits = indices.unsqueeze(&[along + 1]).equals(places).cast(s.ty().elem);
        let sums = (hits * s.unsqueeze(&[along + 1])).sum(&[along], false);
        let rank = x.rank()?;
        let (mut after, none) = (vec![0; rank], vec![0; rank]);
        for axis in (0..rank).filter(|&axis| axis != along) {
            after[axis] = match (x.ty().dim(axis), indices.ty().dim(axis)) {
                (a, b) if a == b => 0,
                (Some(Dim::Known(a)), Some(Dim::Known(b))) => a - b,
                _ => return Err(Error::Unknown { what: format!("the size of axis {axis}") }),
            };
        }
        Ok(sums.pad(&none, &after, 0.0))
    }
}
