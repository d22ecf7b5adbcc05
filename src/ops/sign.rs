//! `Sign` and the roundings: steps, through which nothing flows.

use crate::ir::{Error, Kind, NodeRef, Operator, Type};

pub(super) const OPERATOR: &dyn Operator = &Sign;

struct Sign;

impl Operator for Sign {
    fn names(&self) -> &[&'static str] {
        &["Sign", "Round", "Floor", "Ceil", "Hardmax"]
    }

    fn since(&self, name: &str) -> i64 {
        if name == "Round" { 11 } else { 9 }
    }

    fn infer(&self, node: NodeRef) -> Result<Vec<Type>, Error> {
        node.like_input()
    }

    fn kind(&self, _node: NodeRef) -> Result<Kind, Error> {
        Ok(Kind::Stop)
    }
}
