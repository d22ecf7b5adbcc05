//! `ScatterElements`, `Scatter` until opset 11: elements of lists along an axis are replaced, or added
//! to.

use crate::ir::{Call, Error, Expr, Kind, NodeRef, Operator, Type};

pub(super) const OPERATOR: &dyn Operator = &ScatterElements;

struct ScatterElements;

impl Operator for ScatterElements {
    fn names(&self) -> &[&'static str] {
        &["ScatterElements", "Scatter"]
    }

    fn attributes(&self) -> &[&'static str] {
        &["axis", "reduction"]
    }

    fn arity(&self) -> usize {
        3
    }

    fn since(&self, name: &str) -> i64 {
        if name == "Scatter" { 9 } else { 11 }
    }

    fn infer(&self, node: NodeRef) -> Result<Vec<Type>, Error> {
        let (indices, updates) = (node.ty(1)?, node.ty(2)?);
        let dims = indices.shape.iter().flatten().zip(updates.shape.iter().flatten());
        let same =
            dims.into_iter().all(|(a, b)| a == b || a.known().is_none() || b.known().is_none());
        if !same || indices.rank() != updates.rank() {
            return Err(Error::Shapes {
                what: "updates that are not as many as the indices".into(),
            });
        }
        node.like_input()
    }

    fn kind(&self, node: NodeRef) -> Result<Kind, Error> {
        Ok(if adds(node)? { Kind::Sum } else { Kind::Movement })
    }

    fn flows(&self, _node: NodeRef, operand: usize) -> bool {
        operand != 1
    }

    fn adjoint<'e>(&self, call: &Call<'_, 'e>, wrt: usize, s: Expr<'e>) -> Result<Expr<'e>, Error> {
        let adds = adds(call.node)?;
        let indices = call.raw(1)?;
        let along = call.node.axis("axis", 0, call.node.rank(0)?)?;
        match (wrt, adds) {
            (0, true) => Ok(s),
            (0, false) => {
                let zeros = call.emitter().zeros_like(s.ty().elem, indices);
                Ok(s.scatter(indices, zeros, along))
            }
            _ => s.gather_elements(indices, along),
        }
    }
}

/// Whether what is scattered is added, not put in the place of what is there.
pub(super) fn adds(node: NodeRef) -> Result<bool, Error> {
    match node.one_of("reduction", &["none", "add", "mul", "max", "min"])? {
        "none" => Ok(false),
        "add" => Ok(true),
        other => Err(Error::Unsupported {
            what: format!("{} with the reduction {other}", node.op_type()),
        }),
    }
}
