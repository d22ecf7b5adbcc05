//! Relevance under way.

use crate::ir::{Expr, Value};

/// The relevance of a value: `R = of ⊙ per`, or `per` alone.
///
/// Most rules end in `x ⊙ Jᵀ s` and begin with a division by something that `x` is part of. As long
/// as the product is not multiplied out, sums add only its second factor, and `y / (y + ε)` of what
/// has a factor `y` is seen to be idle.
#[derive(Debug, Clone, Copy)]
pub struct Relevance<'e> {
    /// The factor that is known, if it is written as a product.
    pub of: Option<Expr<'e>>,
    /// The other factor.
    pub per: Expr<'e>,
}

impl<'e> Relevance<'e> {
    /// Relevance that is no product.
    pub fn whole(r: Expr<'e>) -> Self {
        Self { of: None, per: r }
    }

    /// `x ⊙ g`
    pub fn product(x: Expr<'e>, g: Expr<'e>) -> Self {
        let product = Self { of: Some(x), per: g };
        if x.emitter().lowering().cofactors { product } else { Self::whole(product.value()) }
    }

    /// The relevance itself.
    pub fn value(self) -> Expr<'e> {
        self.of.map_or(self.per, |of| (of * self.per).named("R"))
    }

    /// The other factor, where one is this.
    pub fn per(self, of: Expr<'e>) -> Option<Expr<'e>> {
        self.per_value(of.value())
    }

    /// The other factor, where one is this value.
    pub fn per_value(self, of: Value) -> Option<Expr<'e>> {
        self.of.is_some_and(|known| known.value() == of).then_some(self.per)
    }

    /// The sum of relevances of the same value.
    pub fn plus(self, other: Self) -> Self {
        match self.of.and_then(|of| other.per(of)) {
            Some(per) => Self { per: self.per + per, ..self },
            None => Self::whole((self.value() + other.value()).named("R")),
        }
    }

    /// With another second factor.
    pub fn with(self, per: Expr<'e>) -> Self {
        Self { per, ..self }
    }
}
