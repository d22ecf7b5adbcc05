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

    fn infer(&self, node: NodeRef) -> Result<Vec<Type>, Error> {
        let branches = [node.child("then_branch")?, node.child("else_branch")?];
        let [taken, other] = branches.map(|branch| branch.output_types());
        if taken.len() != other.len() {
            let what = format!("has {} outputs, not {}", other.len(), taken.len());
            return Err(Error::Attribute { name: "else_branch".into(), what });
        }
        Ok(taken.iter().zip(&other).map(|(a, b)| a.join(b)).collect())
    }

    fn kind(&self, _node: NodeRef) -> Result<Kind, Error> {
        Err(Error::Unsupported { what: "an If whose branch is chosen at run time".into() })
    }

    fn flows(&self, _node: NodeRef, operand: usize) -> bool {
        operand > 0
    }
}
