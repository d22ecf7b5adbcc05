//! `Gather`, of shapes and other constants.

use super::{Error, Kind, Operator};
use crate::graph::{Dim, Type, View, axis};

pub(super) const OPERATOR: &dyn Operator = &Gather;

struct Gather;

impl Operator for Gather {
    fn names(&self) -> &[&'static str] {
        &["Gather"]
    }

    fn infer(&self, node: View) -> Result<Vec<Type>, Error> {
        let rank = node.rank(0)?;
        let along = node.axis("axis", 0, rank)?;
        let (Some(data), Some(indices)) = (&node.ty(0)?.shape, &node.ty(1)?.shape) else {
            return Err(Error::Unknown { what: "the shape of the indices".into() });
        };
        let dims = [&data[..along], indices, &data[along + 1..]].concat();
        Ok(vec![Type::new(node.ty(0)?.elem, dims)])
    }

    fn kind(&self, _node: View) -> Result<Kind, Error> {
        Err(Error::Unsupported { what: "Gather of or by activations".into() })
    }

    fn fold(&self, node: View) -> Option<Vec<Dim>> {
        let data = node.contents(0)?;
        let indices = node.constant_ints(1)?;
        indices.into_iter().map(|i| data.get(axis(i, data.len()).ok()?).copied()).collect()
    }
}
