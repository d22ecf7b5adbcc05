//! `If` with a condition that the input decides, which relevance does not cross. Where the condition is
//! known, the branch that is taken stands for it.

use crate::ir::{Error, Kind, NodeRef, Operator, Type};

pub(super) const OPERATOR: &dyn Operator = &If;

struct If;

impl Operator for If {
    fn names(&self) -> &[&'static str] {
        &["If"]
    }

    fn attributes(&self) -> &[&'static str] {
        &["else_branch", "then_branch"]
    }

    fn infer(&self, _node: NodeRef) -> Result<Vec<Type>, Error> {
        Ok(Vec::new())
    }

    fn kind(&self, _node: NodeRef) -> Result<Kind, Error> {
        Err(Error::Unsupported { what: "an If whose branch is chosen at run time".into() })
    }
}
