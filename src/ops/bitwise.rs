//! `BitwiseAnd` and its kin, and `BitShift`: integers as their bits, through which nothing flows.

use crate::ir::{Array, Dim, Error, Evaluation, Kind, NodeRef, Operator, Type};

pub(super) const OPERATOR: &dyn Operator = &Bitwise;

struct Bitwise;

impl Operator for Bitwise {
    fn names(&self) -> &[&'static str] {
        &["BitShift", "BitwiseAnd", "BitwiseNot", "BitwiseOr", "BitwiseXor"]
    }

    fn attributes(&self) -> &[&'static str] {
        &["direction"]
    }

    fn arity(&self) -> usize {
        2
    }

    fn since(&self, name: &str) -> i64 {
        if name == "BitShift" { 11 } else { 18 }
    }

    fn infer(&self, node: NodeRef) -> Result<Vec<Type>, Error> {
        node.elementwise(0)
    }

    fn eval(&self, of: &Evaluation) -> Option<Array> {
        let (node, x) = (of.node, of.x(0)?);
        if node.op_type() == "BitwiseNot" {
            return Some(x.map(|n| n.map(false, |n| !n), |v| v));
        }
        let left = node.op_type() == "BitShift" && node.string("direction", "").ok()? == "LEFT";
        let ints = |a: Dim, b: Dim| match (a.known().zip(b.known()), node.op_type()) {
            (Some((a, b)), "BitwiseAnd") => Dim::Known(a & b),
            (Some((a, b)), "BitwiseOr") => Dim::Known(a | b),
            (Some((a, b)), "BitwiseXor") => Dim::Known(a ^ b),
            (Some((a, b @ 0..63)), _) if left => {
                i64::try_from(i128::from(a) << b).map_or(Dim::Unknown, Dim::Known)
            }
            (Some((a, b @ 0..63)), _) => Dim::Known(a >> b),
            _ => Dim::Unknown,
        };
        x.zip(of.x(1)?, of.shape, ints, |_, _| f64::NAN)
    }

    fn kind(&self, _node: NodeRef) -> Result<Kind, Error> {
        Ok(Kind::Stop)
    }
}
