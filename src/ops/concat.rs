//! `Concat`.

use crate::ir::{
    Array, Call, Dim, Error, Evaluation, Expr, Kind, NodeRef, Operator, Sign, Type, axis,
};

pub(super) const OPERATOR: &dyn Operator = &Concat;

struct Concat;

impl Operator for Concat {
    fn names(&self) -> &[&'static str] {
        &["Concat"]
    }

    fn attributes(&self) -> &[&'static str] {
        &["axis"]
    }

    fn arity(&self) -> usize {
        usize::MAX
    }

    fn infer(&self, node: NodeRef) -> Result<Vec<Type>, Error> {
        node.of_one_type(0)?;
        let operands: Vec<_> = node.inputs().into_iter().flatten().collect();
        let along = axis(node.int("axis", 0)?, node.rank(0)?)?;
        let mut out = node.ty(0)?.clone();
        let dims = out.shape.get_or_insert_default();
        for &operand in operands.iter().skip(1) {
            let Some(shape) = &node.graph().ty(operand).shape else {
                return Err(Error::Unknown { what: "the shape of an operand".into() });
            };
            if shape.len() != dims.len() {
                return Err(Error::Shapes { what: "operands of different ranks".into() });
            }
            for (i, (have, &more)) in dims.iter_mut().zip(shape).enumerate() {
                *have = match (*have, more) {
                    (Dim::Known(a), Dim::Known(b)) if i == along => Dim::Known(a.saturating_add(b)),
                    _ if i == along => Dim::Unknown,
                    (Dim::Known(a), Dim::Known(b)) if a != b => {
                        return Err(Error::Shapes {
                            what: format!("sizes {a} and {b} of axis {i}"),
                        });
                    }
                    (Dim::Known(n), _) | (_, Dim::Known(n)) => Dim::Known(n),
                    (have, _) => have,
                };
            }
        }
        Ok(vec![out])
    }

    fn kind(&self, _node: NodeRef) -> Result<Kind, Error> {
        Ok(Kind::Movement)
    }

    fn eval(&self, of: &Evaluation) -> Option<Array> {
        Array::concat(&of.all()?, axis(of.node.int("axis", 0).ok()?, of.shape.len()).ok()?)
    }

    fn sign(&self, _node: NodeRef) -> Sign {
        Sign::AsOperands
    }

    fn adjoint<'e>(&self, call: &Call<'_, 'e>, wrt: usize, s: Expr<'e>) -> Result<Expr<'e>, Error> {
        let along = axis(call.node.int("axis", 0)?, call.node.rank(0)?)?;
        // The sizes before, added up now as far as they are known and at run time where not.
        let mut place = (0, None);
        let add = |(known, computed): &mut (i64, Option<Expr<'e>>), operand: usize| {
            let part = call.raw(operand)?;
            match part.ty().dim(along) {
                Some(Dim::Known(n)) => *known = known.saturating_add(n),
                _ => {
                    let size = part.size(along);
                    *computed = Some(computed.map_or(size, |sum| sum + size));
                }
            }
            Ok::<_, Error>(())
        };
        let at = |place| match place {
            (known, None) => call.emitter().ints(&[known]),
            (0, Some(sum)) => sum,
            (known, Some(sum)) => sum + call.emitter().ints(&[known]),
        };
        for operand in 0..wrt {
            add(&mut place, operand)?;
        }
        let from = at(place);
        add(&mut place, wrt)?;
        s.slice(along, from, at(place))
    }
}
