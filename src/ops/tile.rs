//! `Tile`, of constants.

use super::{Error, Kind, Operator};
use crate::graph::{Dim, Type, View};

pub(super) const OPERATOR: &dyn Operator = &Tile;

struct Tile;

impl Operator for Tile {
    fn names(&self) -> &[&'static str] {
        &["Tile"]
    }

    fn infer(&self, node: View) -> Result<Vec<Type>, Error> {
        let ty = node.ty(0)?;
        let (Some(dims), Some(repeats)) = (&ty.shape, node.contents(1)) else {
            return Ok(vec![Type { elem: ty.elem, shape: None }]);
        };
        let dim = |(dim, times): (&Dim, &Dim)| match (dim, times) {
            (Dim::Known(n), Dim::Known(times)) => {
                n.checked_mul(*times).map_or(Dim::Unknown, Dim::Known)
            }
            (dim, Dim::Known(1)) => *dim,
            _ => Dim::Unknown,
        };
        Ok(vec![Type::new(ty.elem, dims.iter().zip(repeats).map(dim).collect())])
    }

    fn kind(&self, _node: View) -> Result<Kind, Error> {
        Err(Error::Unsupported { what: "Tile of activations".into() })
    }
}
