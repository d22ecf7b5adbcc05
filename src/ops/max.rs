//! `Max` and `Min`, of any number of operands. Operands that tie share evenly.

use crate::ir::{Array, Call, Dim, Error, Evaluation, Expr, Kind, NodeRef, Operator, Sign, Type};

pub(super) const OPERATOR: &dyn Operator = &Max;

struct Max;

impl Operator for Max {
    fn names(&self) -> &[&'static str] {
        &["Max", "Min"]
    }

    fn arity(&self) -> usize {
        usize::MAX
    }

    fn infer(&self, node: NodeRef) -> Result<Vec<Type>, Error> {
        node.elementwise(0)
    }

    fn kind(&self, node: NodeRef) -> Result<Kind, Error> {
        // One activation against constants is a cut.
        Ok(if node.active_count() == 1 { Kind::Activation } else { Kind::Max })
    }

    fn eval(&self, of: &Evaluation) -> Option<Array> {
        let largest = of.node.op_type() == "Max";
        let ints = |a: Dim, b: Dim| match (a, b) {
            (Dim::Known(a), Dim::Known(b)) => Dim::Known(if largest { a.max(b) } else { a.min(b) }),
            _ => Dim::Unknown,
        };
        let floats = |a: f64, b: f64| if largest { a.max(b) } else { a.min(b) };
        let all = of.all()?;
        let (first, rest) = all.split_first()?;
        let pair = |a: Array, b: &&Array| a.zip(b, of.shape, ints, floats);
        rest.iter().try_fold(first.broadcast(of.shape)?, pair)
    }

    fn sign(&self, node: NodeRef) -> Sign {
        let floor = node.inputs().into_iter().flatten().any(|v| node.graph().facts(v).non_negative);
        if node.op_type() == "Max" && floor { Sign::NonNegative } else { Sign::AsOperands }
    }

    fn adjoint<'e>(&self, call: &Call<'_, 'e>, wrt: usize, s: Expr<'e>) -> Result<Expr<'e>, Error> {
        let y = call.y();
        let wins = |operand: usize| Ok(call.x(operand)?.equals(y).cast(s.ty().elem));
        let operands = (0..call.arity()).map(|operand| Ok(call.x(operand)?.value()));
        let mut of = operands.collect::<Result<Vec<_>, Error>>()?;
        of.push(y.value());
        // All operands have them in common.
        let ties = call.emitter().once("ties", of, || {
            let first = wins(0)?;
            (1..call.arity()).try_fold(first, |ties, operand| Ok(ties + wins(operand)?))
        })?;
        (s / ties * wins(wrt)?).sum_to(call.raw(wrt)?)
    }
}
