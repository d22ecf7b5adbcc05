//! `Range`: numbers in a row.

use crate::ir::{Array, Dim, Error, Evaluation, Kind, NodeRef, Operator, Type};

pub(super) const OPERATOR: &dyn Operator = &Range;

struct Range;

impl Operator for Range {
    fn names(&self) -> &[&'static str] {
        &["Range"]
    }

    fn attributes(&self) -> &[&'static str] {
        &["stash_type"]
    }

    fn arity(&self) -> usize {
        3
    }

    fn since(&self, _name: &str) -> i64 {
        11
    }

    fn infer(&self, node: NodeRef) -> Result<Vec<Type>, Error> {
        let number = |operand| node.constant_float(operand);
        let length = match (number(0), number(1), number(2)) {
            (Some(from), Some(to), Some(step)) => Some(((to - from) / step).ceil().max(0.0)),
            _ => None,
        };
        // What is beyond this was rounded.
        let length = length.filter(|&length| length < (1u64 << 53) as f64);
        let length = length.map_or(Dim::Unknown, |length| Dim::Known(length as i64));
        Ok(vec![Type::new(node.ty(0)?.elem, vec![length])])
    }

    fn eval(&self, of: &Evaluation) -> Option<Array> {
        let (from, step) = (of.x(0)?.number()?, of.x(2)?.number()?);
        let number = |i: usize| from + i as f64 * step;
        match of.x(0)?.ints() {
            Some(_) => {
                let numbers = (0..*of.shape.first()?).map(number);
                Array::of_ints(of.shape, numbers.map(|n| Dim::Known(n as i64)).collect())
            }
            None => Array::of_floats(of.shape, (0..*of.shape.first()?).map(number).collect()),
        }
    }

    fn kind(&self, _node: NodeRef) -> Result<Kind, Error> {
        Ok(Kind::Stop)
    }
}
