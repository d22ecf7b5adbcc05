//! `GatherElements`: from each list along an axis, elements by their indices.

use crate::ir::{Call, Error, Expr, Kind, NodeRef, Operator, Sign, Type};

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
        s.scatter_add(indices, along, x)
    }
}
