//! `Pow`: xᵖ.

use super::elementwise::guarded;
use crate::ir::{
    Array, Call, Dim, Error, Euler, Evaluation, Expr, Kind, NodeRef, Operator, Sign, Type,
};

pub(super) const OPERATOR: &dyn Operator = &Pow;

struct Pow;

impl Operator for Pow {
    fn names(&self) -> &[&'static str] {
        &["Pow"]
    }

    fn arity(&self) -> usize {
        2
    }

    fn infer(&self, node: NodeRef) -> Result<Vec<Type>, Error> {
        node.broadcast(0)
    }

    fn kind(&self, node: NodeRef) -> Result<Kind, Error> {
        Ok(if node.is_active(1) { Kind::Leaf } else { Kind::Activation })
    }

    fn sign(&self, node: NodeRef) -> Sign {
        let even = node.constant_float(1).is_some_and(|p| p % 2.0 == 0.0);
        if even { Sign::NonNegative } else { node.sign_of(0) }
    }

    fn is_singular(&self, node: NodeRef) -> bool {
        let power = node.constant_float(1);
        !power.is_some_and(|p| p >= 1.0 && p.fract().abs() <= 0.0)
    }

    fn eval(&self, of: &Evaluation) -> Option<Array> {
        let ints = |a: Dim, b: Dim| match (a, b) {
            (Dim::Known(a), Dim::Known(b)) => {
                let power = u32::try_from(b).ok().and_then(|b| a.checked_pow(b));
                power.map_or(Dim::Unknown, Dim::Known)
            }
            _ => Dim::Unknown,
        };
        of.x(0)?.zip(of.x(1)?, of.shape, ints, f64::powf)
    }

    fn euler(&self, node: NodeRef) -> Option<Euler> {
        node.constant_float(1).filter(|_| !node.is_active(1)).map(Euler::of)
    }

    /// |p y| + |p y ln x|: the base's part and the exponent's.
    fn magnitudes<'e>(&self, call: &Call<'_, 'e>) -> Result<Expr<'e>, Error> {
        let x = call.x(0)?;
        let positive = x.greater(0.0);
        let ln = x.where_or(positive, 1.0).unary("Log");
        let own = (call.x(1)?.cast(x.ty().elem) * call.y()).abs();
        Ok(own + own * ln.abs())
    }

    fn adjoint<'e>(&self, call: &Call<'_, 'e>, wrt: usize, s: Expr<'e>) -> Result<Expr<'e>, Error> {
        let x = call.x(0)?;
        let p = call.x(1)?.cast(x.ty().elem);
        let g = match (wrt, call.node.constant_float(1)) {
            (0, Some(power)) if (power - 2.0).abs() < f64::EPSILON => s * x * 2.0,
            (0, Some(power)) if power >= 1.0 => s * x.pow(p - 1.0) * power,
            // The derivative at 0 is infinite for powers below 1, and taken as 0.
            (0, _) => (s * p * x.pow(p - 1.0)).where_or(x.is_nonzero(), 0.0),
            _ => {
                let positive = x.greater(0.0);
                (s * call.y() * x.where_or(positive, 1.0).unary("Log")).where_or(positive, 0.0)
            }
        };
        let g = if self.is_singular(call.node) { guarded(g, s) } else { g };
        g.sum_to(call.raw(wrt)?)
    }
}
