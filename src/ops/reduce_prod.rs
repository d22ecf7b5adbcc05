//! `ReduceProd`. The derivative by an element is the product of the others: where one element is 0 it
//! is that of the rest, and elsewhere nothing; where several are, there is none.

use super::reduce::Reduction;
use crate::ir::{Kind, Operator, Sign};

pub(super) const OPERATOR: &dyn Operator = &Reduction {
    name: "ReduceProd",
    since: 18,
    kind: Kind::Leaf,
    sign: Sign::AsOperands,
    eval: Some(|list| list.iter().product()),
    adjoint: |x, axes, s, _| {
        let elem = x.ty().elem;
        let regular = x.is_nonzero();
        let factors = x.where_or(regular, 1.0);
        let zero = 1.0 - regular.cast(elem);
        let zeros = zero.sum(axes, true);
        let others = factors.product(axes) / factors;
        // With no zero every element counts, with one only that.
        let counts = (1.0 - zeros).relu() + zero * zeros.equals_number(1.0).cast(elem);
        s * others * counts
    },
};
