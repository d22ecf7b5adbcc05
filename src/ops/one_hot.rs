//! `OneHot`: what of several values stands where an index says. A product of it with a matrix is an embedding
//! (see `front::embeddings`); otherwise nothing flows through an index.

use crate::ir::{Dim, Error, Kind, NodeRef, Operator, Type, axis};

pub(super) const OPERATOR: &dyn Operator = &OneHot;

struct OneHot;

impl Operator for OneHot {
    fn names(&self) -> &[&'static str] {
        &["OneHot"]
    }

    fn attributes(&self) -> &[&'static str] {
        &["axis"]
    }

    fn arity(&self) -> usize {
        3
    }

    fn infer(&self, node: NodeRef) -> Result<Vec<Type>, Error> {
        let at = axis(node.int("axis", -1)?, node.rank(0)? + 1)?;
        let depth = node.graph().constant(node.required(1)?).map(|depth| depth as i64);
        let count = depth.map_or(Dim::Unknown, Dim::Known);
        Ok(vec![node.ty(0)?.stacked(at, count).with(node.ty(2)?.elem)])
    }

    fn kind(&self, _node: NodeRef) -> Result<Kind, Error> {
        Ok(Kind::Stop)
    }
}
