//! `Clip`: cut to an interval, whose bounds were attributes until opset 11; nothing flows where it is
//! cut.

use crate::ir::{Call, Error, Euler, Expr, Kind, NodeRef, Operator, Sign, Type};

pub(super) const OPERATOR: &dyn Operator = &Clip;

struct Clip;

impl Operator for Clip {
    fn names(&self) -> &[&'static str] {
        &["Clip"]
    }

    fn attributes(&self) -> &[&'static str] {
        &["max", "min"]
    }

    fn arity(&self) -> usize {
        3
    }

    fn infer(&self, node: NodeRef) -> Result<Vec<Type>, Error> {
        node.like_input()
    }

    fn kind(&self, node: NodeRef) -> Result<Kind, Error> {
        match node.is_active(1) || node.is_active(2) {
            true => Err(Error::Unsupported { what: "Clip to computed bounds".into() }),
            false => Ok(Kind::Activation),
        }
    }

    fn flows(&self, _node: NodeRef, operand: usize) -> bool {
        operand == 0
    }

    fn sign(&self, node: NodeRef) -> Sign {
        let low = match node.opset() {
            ..11 => node.float("min", f32::MIN).ok(),
            _ => node.constant_float(1),
        };
        if low.is_some_and(|low| low >= 0.0) { Sign::NonNegative } else { node.sign_of(0) }
    }

    fn euler(&self, node: NodeRef) -> Option<Euler> {
        let (above, below) = bounds(node)?;
        Some(Euler { above, below, ..Euler::of(1.0) })
    }

    fn may_be_infinite(&self, _node: NodeRef, _operand: bool) -> bool {
        false
    }

    fn is_gate(&self) -> bool {
        true
    }

    fn adjoint<'e>(
        &self,
        call: &Call<'_, 'e>,
        _wrt: usize,
        s: Expr<'e>,
    ) -> Result<Expr<'e>, Error> {
        Ok(s.masked(call.x(0)?.equals(call.y())))
    }
}

/// The bounds, where they are numbers that are known.
fn bounds(node: NodeRef) -> Option<(Option<f64>, Option<f64>)> {
    let bound = |operand: usize, attribute: &str, none: f32| {
        if node.opset() >= 11 {
            return node
                .input(operand)
                .map_or(Some(None), |_| node.constant_float(operand).map(Some));
        }
        let stated = node.float(attribute, none).ok()?;
        Some((stated.abs() < f64::from(f32::MAX)).then_some(stated))
    };
    Some((bound(1, "min", f32::MIN)?, bound(2, "max", f32::MAX)?))
}
