//! `Range`: numbers in a row.

use super::{Error, Kind, Operator};
use crate::graph::{Dim, Type, View};

pub(super) const OPERATOR: &dyn Operator = &Range;

struct Range;

impl Operator for Range {
    fn names(&self) -> &[&'static str] {
        &["Range"]
    }

    fn infer(&self, node: View) -> Result<Vec<Type>, Error> {
        Ok(vec![Type::new(node.ty(0)?.elem, vec![Dim::Unknown])])
    }

    fn kind(&self, _node: View) -> Result<Kind, Error> {
        Ok(Kind::Stop)
    }
}
