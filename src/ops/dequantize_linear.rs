//! `DequantizeLinear`, of constants: weights that are stored as integers.

use super::{Error, Kind, Operator};
use crate::graph::{Type, View};

pub(super) const OPERATOR: &dyn Operator = &DequantizeLinear;

struct DequantizeLinear;

impl Operator for DequantizeLinear {
    fn names(&self) -> &[&'static str] {
        &["DequantizeLinear"]
    }

    fn since(&self, _name: &str) -> i64 {
        10
    }

    fn infer(&self, node: View) -> Result<Vec<Type>, Error> {
        Ok(vec![node.ty(0)?.with(node.ty(1)?.elem)])
    }

    fn kind(&self, _node: View) -> Result<Kind, Error> {
        Err(Error::Unsupported { what: "DequantizeLinear of activations".into() })
    }
}
