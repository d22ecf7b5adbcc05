//! `PRelu`: x where x > 0, a learned slope times x elsewhere.

use crate::ir::{Call, Error, Expr, Kind, NodeRef, Operator, Sign, Type};

pub(super) const OPERATOR: &dyn Operator = &PRelu;

struct PRelu;

impl Operator for PRelu {
    fn names(&self) -> &[&'static str] {
        &["PRelu"]
    }

    fn arity(&self) -> usize {
        2
    }

    fn infer(&self, node: NodeRef) -> Result<Vec<Type>, Error> {
        node.like_input()
    }

    fn kind(&self, node: NodeRef) -> Result<Kind, Error> {
        match node.is_active(1) {
            true => Err(Error::Unsupported { what: "PRelu with a computed slope".into() }),
            false => Ok(Kind::Activation),
        }
    }

    fn sign(&self, node: NodeRef) -> Sign {
        node.sign_of(0)
    }

    fn adjoint<'e>(
        &self,
        call: &Call<'_, 'e>,
        _wrt: usize,
        s: Expr<'e>,
    ) -> Result<Expr<'e>, Error> {
        Ok(s.select(call.x(0)?.greater(0.0), s * call.x(1)?))
    }
}
