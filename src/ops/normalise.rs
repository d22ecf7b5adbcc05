//! What normalisations by statistics have in common.

use super::reduce;
use crate::ir::{Call, Detached, Error, Expr, Kind, NodeRef, Operator, Role, Type};

/// A normalisation by statistics of operand 0; operands 1 and 2, where it has them, scale and shift it.
pub struct Normalisation {
    /// The operator.
    pub name: &'static str,
    /// The operator set that it came with.
    pub since: i64,
    /// The attributes that it reads, or that mean nothing here.
    pub attributes: &'static [&'static str],
    /// The most inputs that it has.
    pub inputs: usize,
    /// How many statistics it can have as further results, which training reads.
    pub statistics: usize,
    /// `(∂y/∂x)ᵀ s`, with the statistics for constants that the call detaches.
    pub adjoint: for<'e> fn(&Call<'_, 'e>, Expr<'e>) -> Result<Expr<'e>, Error>,
}

impl Operator for Normalisation {
    fn names(&self) -> &[&'static str] {
        std::slice::from_ref(&self.name)
    }

    fn since(&self, _name: &str) -> i64 {
        self.since
    }

    fn attributes(&self) -> &[&'static str] {
        self.attributes
    }

    fn arity(&self) -> usize {
        self.inputs
    }

    fn infer(&self, node: NodeRef) -> Result<Vec<Type>, Error> {
        let mut types = node.like_input()?;
        types.resize(1 + self.statistics, Type::default());
        Ok(types)
    }

    fn kind(&self, node: NodeRef) -> Result<Kind, Error> {
        if (1..node.inputs().len()).any(|operand| node.is_active(operand)) {
            let what = format!("{} with a computed scale or bias", self.name);
            return Err(Error::Unsupported { what });
        }
        Ok(Kind::Normalisation)
    }

    fn flows(&self, _node: NodeRef, operand: usize) -> bool {
        operand == 0
    }

    fn role(&self, operand: usize) -> Option<Role> {
        Some(if operand == 2 { Role::Bias } else { Role::Weight })
    }

    fn adjoint<'e>(
        &self,
        call: &Call<'_, 'e>,
        _wrt: usize,
        s: Expr<'e>,
    ) -> Result<Expr<'e>, Error> {
        (self.adjoint)(call, s)
    }
}

/// The adjoint of `n = (x − mean) / √(variance + ε)` over `axes`; without `centred`, of
/// `n = x / √(mean(x²) + ε)`. The mean and the deviation are constants where they are detached.
pub fn adjoint<'e>(
    detached: Detached,
    x: Expr<'e>,
    g: Expr<'e>,
    axes: &[usize],
    epsilon: f64,
    centred: bool,
) -> Expr<'e> {
    let mean = |v: Expr<'e>| reduce::mean(v.sum(axes, true), v, axes);
    let centre = |v: Expr<'e>| if centred { v - mean(v) } else { v };
    let d = centre(x);
    let deviation = (mean(d * d) + epsilon).sqrt();
    match detached {
        Detached::Nothing => {
            let n = d / deviation;
            (centre(g) - n * mean(g * n)) / deviation
        }
        Detached::Divisor => centre(g) / deviation,
        Detached::Statistics => g / deviation,
    }
}
