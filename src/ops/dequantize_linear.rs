//! `DequantizeLinear`, of constants: weights that are stored as integers.

use crate::ir::{Call, Error, Expr, Kind, NodeRef, Operator, Type};

pub(super) const OPERATOR: &dyn Operator = &DequantizeLinear;

struct DequantizeLinear;

impl Operator for DequantizeLinear {
    fn names(&self) -> &[&'static str] {
        &["DequantizeLinear"]
    }

    fn attributes(&self) -> &[&'static str] {
        &["axis", "block_size", "output_dtype"]
    }

    fn arity(&self) -> usize {
        3
    }

    fn since(&self, _name: &str) -> i64 {
        10
    }

    fn infer(&self, node: NodeRef) -> Result<Vec<Type>, Error> {
        Ok(vec![node.ty(0)?.with(node.ty(1)?.elem)])
    }

    /// `(q − z) · s`: runtimes make one kernel of the node and the product behind it, if that product
    /// is its only reader.
    fn written_out<'e>(&self, call: &Call<'_, 'e>) -> Option<Expr<'e>> {
        if call.node.int("block_size", 0) != Ok(0) {
            return None;
        }
        let (q, scale) = (call.raw(0).ok()?, call.x(1).ok()?);
        let (rank, elem) = (q.rank().ok()?, scale.ty().elem);
        let axis = call.node.axis("axis", 1, rank.max(2)).ok()?;
        // A list of scales lies along an axis.
        let spread = |v: Expr<'e>| match v.rank() {
            Ok(1) if rank > axis => v.unsqueeze(&(1..rank - axis).collect::<Vec<_>>()),
            _ => v,
        };
        let q = q.cast(elem);
        let q = call.raw(2).map_or(q, |zero| q - spread(zero.cast(elem)));
        Some(q * spread(scale))
    }

    fn kind(&self, _node: NodeRef) -> Result<Kind, Error> {
        Err(Error::Unsupported { what: "DequantizeLinear of activations".into() })
    }
}
