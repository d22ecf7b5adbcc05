//! `CumProd`: products of what comes before.

use crate::{
    ir::{Along, Call, Error, Expr, Kind, NodeRef, Operator, Sign, Type, axis},
    onnx::attribute::int,
};

pub(super) const OPERATOR: &dyn Operator = &CumProd;

struct CumProd;

impl Operator for CumProd {
    fn names(&self) -> &[&'static str] {
        &["CumProd"]
    }

    fn attributes(&self) -> &[&'static str] {
        &["exclusive", "reverse"]
    }

    fn arity(&self) -> usize {
        2
    }

    fn since(&self, _name: &str) -> i64 {
        26
    }

    fn infer(&self, node: NodeRef) -> Result<Vec<Type>, Error> {
        node.like_input()
    }

    fn kind(&self, _node: NodeRef) -> Result<Kind, Error> {
        Ok(Kind::Leaf)
    }

    fn flows(&self, _node: NodeRef, operand: usize) -> bool {
        operand == 0
    }

    fn sign(&self, node: NodeRef) -> Sign {
        node.sign_of(0)
    }

    /// Each factor has the product `P` of those before it in all that it is part of; what is multiplied behind it
    /// adds up from the end: `Tᵢ = sᵢ + xᵢ₊₁ Tᵢ₊₁`, so that `(Jᵀ s)ᵢ = Pᵢ Tᵢ`, whatever is 0. Where a product leaves
    /// its own factor out, that is `Tᵢ = sᵢ₊₁ + xᵢ₊₁ Tᵢ₊₁`.
    fn adjoint<'e>(
        &self,
        call: &Call<'_, 'e>,
        _wrt: usize,
        s: Expr<'e>,
    ) -> Result<Expr<'e>, Error> {
        let (x, node) = (call.x(0)?, call.node);
        let (exclusive, reverse) = (node.flag("exclusive", false)?, node.flag("reverse", false)?);
        let attributes = vec![int("exclusive", 1), int("reverse", reverse.into())];
        let operands = [Some(x), Some(call.raw(1)?)];
        let before = call.emitter().emit("CumProd", &operands, attributes);
        let along = Along { axis: along(node)?, backwards: !reverse };
        let nothing = (s.sum(&[along.axis], false)) * 0.0;
        let both = [(s, along), (x, along)];
        let results = call.emitter().scan(&[nothing], &both, &[along], |behind, parts| {
            let (s, x) = (parts[0], parts[1]);
            Ok(match exclusive {
                true => vec![s + x * behind[0], behind[0]],
                false => vec![x * (s + behind[0]), s + behind[0]],
            })
        })?;
        Ok(results.last().map_or(before, |&behind| before * behind))
    }

    /// A product has each of its factors for a contribution, which all are the product itself.
    fn magnitudes<'e>(&self, call: &Call<'_, 'e>) -> Result<Expr<'e>, Error> {
        let (x, node, emitter) = (call.x(0)?, call.node, call.emitter());
        let flags =
            ["exclusive", "reverse"].map(|name| Ok(int(name, node.flag(name, false)?.into())));
        let attributes = flags.into_iter().collect::<Result<Vec<_>, Error>>()?;
        let ones = x * 0.0 + 1.0;
        let factors = emitter.emit("CumSum", &[Some(ones), Some(call.raw(1)?)], attributes);
        Ok(call.y().abs() * factors)
    }
}

fn along(node: NodeRef) -> Result<usize, Error> {
    match node.constant_ints(1).as_deref() {
        Some(&[stated]) => axis(stated, node.rank(0)?),
        _ => Err(Error::Unknown { what: "the axis".into() }),
    }
}
