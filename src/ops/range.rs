//! `Range`: numbers in a row.

use crate::ir::{Dim, Error, Kind, NodeRef, Operator, Type};

pub(super) const OPERATOR: &dyn Operator = &Range;

struct Range;

impl Operator for Range {
    fn names(&self) -> &[&'static str] {
        &["Range"]
    }

    fn since(&self, _name: &str) -> i64 {
        11
    }

    fn infer(&self, node: NodeRef) -> Result<Vec<Type>, Error> {
        let length = self.fold(node).map_or(Dim::Unknown, |list| Dim::Known(list.len() as i64));
        Ok(vec![Type::new(node.ty(0)?.elem, vec![length])])
    }

    fn fold(&self, node: NodeRef) -> Option<Vec<Dim>> {
        let number = |operand| node.constant_ints(operand)?.first().copied();
        let (from, to, step) = (number(0)?, number(1)?, number(2)?);
        let known = step > 0 && to.saturating_sub(from) <= 64 * step;
        known.then(|| (from..to).step_by(step as usize).map(Dim::Known).collect())
    }

    fn kind(&self, _node: NodeRef) -> Result<Kind, Error> {
        Ok(Kind::Stop)
    }
}
