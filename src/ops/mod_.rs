//! `Mod`: what a division leaves over, which grows as its first operand does.

use crate::ir::{Array, Call, Dim, Error, Evaluation, Expr, Kind, NodeRef, Operator, Type};

pub(super) const OPERATOR: &dyn Operator = &Mod;

struct Mod;

impl Operator for Mod {
    fn names(&self) -> &[&'static str] {
        &["Mod"]
    }

    fn attributes(&self) -> &[&'static str] {
        &["fmod"]
    }

    fn arity(&self) -> usize {
        2
    }

    fn since(&self, _name: &str) -> i64 {
        10
    }

    fn infer(&self, node: NodeRef) -> Result<Vec<Type>, Error> {
        node.elementwise(0)
    }

    fn kind(&self, node: NodeRef) -> Result<Kind, Error> {
        match node.is_active(1) {
            true => Err(Error::Unsupported { what: "Mod by an activation".into() }),
            false => Ok(Kind::Activation),
        }
    }

    fn eval(&self, of: &Evaluation) -> Option<Array> {
        // Of sizes, which are not negative: the conventions for signs agree.
        let ints = |a: Dim, b: Dim| match (a, b) {
            (Dim::Known(a @ 0..), Dim::Known(b @ 1..)) => Dim::Known(a % b),
            _ => Dim::Unknown,
        };
        of.x(0)?.zip(of.x(1)?, of.shape, ints, |a, b| a % b)
    }

    fn adjoint<'e>(&self, call: &Call<'_, 'e>, wrt: usize, s: Expr<'e>) -> Result<Expr<'e>, Error> {
        s.sum_to(call.raw(wrt)?)
    }
}
