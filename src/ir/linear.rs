//! Products with weights, and the shifts and scales that fold into them.

use super::{Error, Expr, NodeRef};

/// How the constants of a shift or scale lie along the axes of what they shift or scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Constants {
    /// They broadcast.
    Broadcast,
    /// They are lists along axis 1.
    PerChannel,
}

/// `scale · x + shift`, elementwise, with constants that broadcast against `x`; 1 and 0 where absent.
#[derive(Debug, Clone, Copy)]
pub struct Affine<'e> {
    /// The factor.
    pub scale: Option<Expr<'e>>,
    /// The summand.
    pub shift: Option<Expr<'e>>,
}

/// A product with weights, `y = x ∗ W + b`, to which scales and shifts per output feature fold.
/// Its operands are `x` and `W` in the operator's order, and `b` third.
pub trait Linear {
    /// The axis of the output that features lie along; `None` if it has none.
    fn features(&self, node: NodeRef) -> Result<Option<usize>, Error>;

    /// The number of features, where the weights say.
    fn count(&self, node: NodeRef) -> Option<i64>;

    /// The weights with feature `j` scaled by `g[j]`; `g` is a list.
    fn scale<'e>(&self, node: NodeRef, w: Expr<'e>, g: Expr<'e>) -> Result<Expr<'e>, Error>;

    /// A bias that broadcasts against the output in the shape of the operator's third operand.
    fn bias<'e>(&self, _node: NodeRef, b: Expr<'e>) -> Result<Expr<'e>, Error> {
        Ok(b)
    }

    /// The operator's third operand in a shape that broadcasts against the output of that rank.
    fn spread<'e>(&self, _node: NodeRef, b: Expr<'e>, _rank: usize) -> Result<Expr<'e>, Error> {
        Ok(b)
    }
}
