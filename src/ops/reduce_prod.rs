//! `ReduceProd`. The derivative by an element is the product of the others: where one element is 0 it
//! is that of the rest, and elsewhere nothing; where several are, there is none.

use super::reduce::Reduction;
use crate::ir::{Expr, Kind, Operator, Sign};
use std::convert::Infallible;

pub(super) const OPERATOR: &dyn Operator = &Reduction {
    name: "ReduceProd",
    since: 18,
    kind: Kind::Leaf,
    sign: Sign::AsOperands,
    eval: Some(|list| list.iter().product()),
    adjoint: |x, axes, s, _| {
        let Ok(others) =
            others::<Infallible>(x, |x| Ok(x.product(axes)), |x| Ok(x.sum(axes, true)));
        s * others
    },
};

/// The product of all factors but one, for each of them. `product` and `sum` are over the factors of a result.
pub(super) fn others<'e, E>(
    x: Expr<'e>,
    product: impl Fn(Expr<'e>) -> Result<Expr<'e>, E>,
    sum: impl Fn(Expr<'e>) -> Result<Expr<'e>, E>,
) -> Result<Expr<'e>, E> {
    let elem = x.ty().elem;
    let regular = x.is_nonzero();
    let factors = x.where_or(regular, 1.0);
    let zero = 1.0 - regular.cast(elem);
    let zeros = sum(zero)?;
    let others = product(factors)? / factors;
    // With no zero every element counts, with one only that.
    let counts = (1.0 - zeros).relu() + zero * zeros.equals_number(1.0).cast(elem);
    Ok(others * counts)
}
