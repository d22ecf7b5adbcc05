//! `If`: one of two subgraphs. Where the condition is known, the nodes of the branch that is taken stand for
//! it.

use crate::ir::{Error, Kind, NodeRef, Operator, Runs, Type};

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
        Ok(Kind::Subgraphs)
    }

    fn has_several_outputs(&self) -> bool {
        true
    }

    fn runs(&self, node: NodeRef) -> Result<Option<Runs>, Error> {
        let place = |name: &str| {
            let children = node.graph().children(node.index());
            children
                .iter()
                .position(|child| child.attribute == name)
                .ok_or_else(|| Error::Attribute { name: name.into(), what: "is missing".into() })
        };
        Ok(Some(Runs::Either(place("then_branch")?, place("else_branch")?)))
    }

    fn flows(&self, _node: NodeRef, operand: usize) -> bool {
        operand > 0
    }
}
