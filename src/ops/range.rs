//! `Range`: numbers in a row.

use crate::ir::{Array, Call, Dim, Error, Evaluation, Expr, Kind, NodeRef, Operator, Type};

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

    /// Of numbers that are computed, each is the first and so many steps.
    fn kind(&self, node: NodeRef) -> Result<Kind, Error> {
        let computed = node.output().is_float() && (node.is_active(0) || node.is_active(2));
        Ok(if computed { Kind::Sum } else { Kind::Stop })
    }

    fn flows(&self, _node: NodeRef, operand: usize) -> bool {
        operand != 1
    }

    /// Of other numbers, as many as there are of the source's own.
    fn forward<'e>(&self, call: &Call<'_, 'e>) -> Result<Expr<'e>, Error> {
        Ok(call.raw(0)? + steps(call)? * call.raw(2)?)
    }

    fn adjoint<'e>(&self, call: &Call<'_, 'e>, wrt: usize, s: Expr<'e>) -> Result<Expr<'e>, Error> {
        let parts = if wrt == 0 { s } else { s * steps(call)? };
        Ok(parts.sum(&[0], false).reshape_like(call.raw(wrt)?))
    }

    fn magnitudes<'e>(&self, call: &Call<'_, 'e>) -> Result<Expr<'e>, Error> {
        let part = |operand: usize| match call.node.is_active(operand) {
            true => call.x(operand).map(Expr::abs),
            false => Ok(call.y() * 0.0),
        };
        Ok(part(0)? + part(2)? * steps(call)?)
    }
}

/// How many steps each number lies behind the first.
fn steps<'e>(call: &Call<'_, 'e>) -> Result<Expr<'e>, Error> {
    let y = call.y();
    Ok(call.emitter().positions(y, 0)?.cast(y.ty().elem))
}
