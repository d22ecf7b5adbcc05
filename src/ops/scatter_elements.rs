//! `ScatterElements`, `Scatter` until opset 11: elements of lists along an axis are replaced, added to, or
//! multiplied.

use super::reduce_prod::others;
use crate::ir::{Call, Error, Expr, Kind, NodeRef, Operator, Type};

pub(super) const OPERATOR: &dyn Operator = &ScatterElements;

struct ScatterElements;

impl Operator for ScatterElements {
    fn names(&self) -> &[&'static str] {
        &["ScatterElements", "Scatter"]
    }

    fn attributes(&self) -> &[&'static str] {
        &["axis", "reduction"]
    }

    fn arity(&self) -> usize {
        3
    }

    fn since(&self, name: &str) -> i64 {
        if name == "Scatter" { 9 } else { 11 }
    }

    fn infer(&self, node: NodeRef) -> Result<Vec<Type>, Error> {
        let (indices, updates) = (node.ty(1)?, node.ty(2)?);
        let dims = indices.shape.iter().flatten().zip(updates.shape.iter().flatten());
        let same =
            dims.into_iter().all(|(a, b)| a == b || a.known().is_none() || b.known().is_none());
        if !same || indices.rank() != updates.rank() {
            return Err(Error::Shapes {
                what: "updates that are not as many as the indices".into(),
            });
        }
        node.like_input()
    }

    fn kind(&self, node: NodeRef) -> Result<Kind, Error> {
        Reduction::kind(node)
    }

    fn flows(&self, _node: NodeRef, operand: usize) -> bool {
        operand != 1
    }

    fn adjoint<'e>(&self, call: &Call<'_, 'e>, wrt: usize, s: Expr<'e>) -> Result<Expr<'e>, Error> {
        let (reduction, indices) = (Reduction::of(call.node)?, call.raw(1)?);
        let along = call.node.axis("axis", 0, call.node.rank(0)?)?;
        let gather = |v: Expr<'e>| v.gather_elements(indices, along);
        let zeros = |like| call.emitter().zeros_like(s.ty().elem, like);
        match (wrt, reduction) {
            (0, Reduction::Add) => Ok(s),
            (0, Reduction::None) => Ok(s.scatter(indices, zeros(indices), along)),
            (_, Reduction::Extremum) => {
                let add = |v: Expr<'e>, to: Expr<'e>| v.scatter_add(indices, along, to);
                extremum_adjoint(call, wrt, s, gather, add)
            }
            (_, Reduction::Multiply) => {
                let add = |v: Expr<'e>, to: Expr<'e>| v.scatter_add(indices, along, to);
                product_adjoint(call, wrt, s, gather, add)
            }
            (_, Reduction::None | Reduction::Add) => gather(s),
        }
    }

    fn magnitudes<'e>(&self, call: &Call<'_, 'e>) -> Result<Expr<'e>, Error> {
        if Reduction::of(call.node)? != Reduction::Multiply {
            return call.magnified().forward();
        }
        let (indices, along) = (call.raw(1)?, call.node.axis("axis", 0, call.node.rank(0)?)?);
        product_magnitudes(call, |v, to| v.scatter_add(indices, along, to))
    }
}

/// What is made of an element and of what is scattered to it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Reduction {
    /// The latter.
    None,
    /// Their sum.
    Add,
    /// Their product.
    Multiply,
    /// The largest of them, or the smallest.
    Extremum,
}

impl Reduction {
    pub(super) fn of(node: NodeRef) -> Result<Self, Error> {
        Ok(match node.one_of("reduction", &["none", "add", "mul", "max", "min"])? {
            "none" => Self::None,
            "add" => Self::Add,
            "mul" => Self::Multiply,
            _ => Self::Extremum,
        })
    }

    pub(super) fn kind(node: NodeRef) -> Result<Kind, Error> {
        Ok(match Self::of(node)? {
            Self::None => Kind::Movement,
            Self::Add => Kind::Sum,
            Self::Multiply => Kind::Leaf,
            Self::Extremum => Kind::Max,
        })
    }
}

/// Those that the result is equal to get what it gets, in equal parts.
pub(super) fn extremum_adjoint<'e>(
    call: &Call<'_, 'e>,
    wrt: usize,
    s: Expr<'e>,
    gather: impl Fn(Expr<'e>) -> Result<Expr<'e>, Error>,
    add: impl Fn(Expr<'e>, Expr<'e>) -> Result<Expr<'e>, Error>,
) -> Result<Expr<'e>, Error> {
    let (y, elem) = (call.y(), s.ty().elem);
    let kept = call.x(0)?.equals(y).cast(elem);
    let put = call.x(2)?.equals(gather(y)?).cast(elem);
    let each = s / add(put, kept)?;
    Ok(if wrt == 0 { each * kept } else { gather(each)? * put })
}

/// Each factor gets what it is given times the others, whichever of them are 0.
pub(super) fn product_adjoint<'e>(
    call: &Call<'_, 'e>,
    wrt: usize,
    s: Expr<'e>,
    gather: impl Fn(Expr<'e>) -> Result<Expr<'e>, Error>,
    add: impl Fn(Expr<'e>, Expr<'e>) -> Result<Expr<'e>, Error>,
) -> Result<Expr<'e>, Error> {
    let (x, updates, emitter) = (call.x(0)?, call.x(2)?, call.emitter());
    let one = emitter.scalar(x.ty().elem, 1.0).expand_like(x);
    let multiplied = |factors| call.clone().with(0, Some(one)).with(2, Some(factors)).forward();
    if wrt == 0 {
        return Ok(s * multiplied(updates)?);
    }
    let zeros = emitter.zeros_like(x.ty().elem, x);
    let product = |factors| gather(multiplied(factors)?);
    let sum = |v| gather(add(v, zeros)?);
    Ok(gather(s * x)? * others(updates, product, sum)?)
}

/// A product has each of its factors for a contribution, which all are the product itself.
pub(super) fn product_magnitudes<'e>(
    call: &Call<'_, 'e>,
    add: impl Fn(Expr<'e>, Expr<'e>) -> Result<Expr<'e>, Error>,
) -> Result<Expr<'e>, Error> {
    let (x, updates, emitter) = (call.x(0)?, call.x(2)?, call.emitter());
    let [own, put] = [0, 2].map(|i| f64::from(u8::from(call.node.is_active(i))));
    let of = |number: f64, like| emitter.scalar(x.ty().elem, number).expand_like(like);
    Ok(call.y().abs() * add(of(put, updates), of(own, x))?)
}
