//! `If`, `Loop` and `Scan`, which relevance does not cross: an `If` whose condition is known is not met
//! here, but the branch it takes.

use super::{Error, Kind, Operator};
use crate::graph::{Type, View};

pub(super) const OPERATOR: &dyn Operator = &ControlFlow;

struct ControlFlow;

impl Operator for ControlFlow {
    fn names(&self) -> &[&'static str] {
        &["If", "Loop", "Scan"]
    }

    fn infer(&self, _node: View) -> Result<Vec<Type>, Error> {
        Ok(Vec::new())
    }

    fn kind(&self, node: View) -> Result<Kind, Error> {
        let what = match node.op_type() {
            "If" => "an If whose branch is chosen at run time".into(),
            other => format!("a subgraph of {other}"),
        };
        Err(Error::Unsupported { what })
    }
}
