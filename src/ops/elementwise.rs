//! What elementwise nonlinearities have in common.

use crate::ir::{Array, Call, Error, Euler, Evaluation, Expr, Kind, NodeRef, Operator, Sign, Type};

/// A function of each element.
pub struct Elementwise {
    /// The operator.
    pub name: &'static str,
    /// The operator set that it came with.
    pub since: i64,
    /// The attributes that it reads, or that mean nothing here.
    pub attributes: &'static [&'static str],
    /// What its attributes may not be, though no derivative is asked for.
    pub check: fn(NodeRef) -> Result<(), Error>,
    /// The sign of the result.
    pub sign: Sign,
    /// Whether the result is finite where the element is not.
    pub bounded: bool,
    /// `p` where `x f′(x) = p f(x)`.
    pub euler: Option<f64>,
    /// Whether there are finite elements of which it, or its derivative, is none.
    pub singular: bool,
    /// Whether it gates its own input in activations.
    pub gate: bool,
    /// The function, of one number.
    pub eval: Option<fn(f64) -> f64>,
    /// `s ⊙ f′(x)`
    pub adjoint: for<'e> fn(&Call<'_, 'e>, Expr<'e>) -> Result<Expr<'e>, Error>,
}

/// A function of no particular properties, which every other states what it has of beside.
pub const ELEMENTWISE: Elementwise = Elementwise {
    name: "",
    since: 9,
    attributes: &[],
    check: |_| Ok(()),
    sign: Sign::Any,
    bounded: false,
    euler: None,
    singular: false,
    gate: false,
    eval: None,
    adjoint: |call, _| {
        Err(Error::Unsupported { what: format!("a derivative of {}", call.node.op_type()) })
    },
};

impl Operator for Elementwise {
    fn names(&self) -> &[&'static str] {
        std::slice::from_ref(&self.name)
    }

    fn since(&self, _name: &str) -> i64 {
        self.since
    }

    fn attributes(&self) -> &[&'static str] {
        self.attributes
    }

    fn infer(&self, node: NodeRef) -> Result<Vec<Type>, Error> {
        (self.check)(node)?;
        node.like_input()
    }

    fn kind(&self, _node: NodeRef) -> Result<Kind, Error> {
        Ok(Kind::Activation)
    }

    fn flows(&self, _node: NodeRef, operand: usize) -> bool {
        operand == 0
    }

    fn eval(&self, of: &Evaluation) -> Option<Array> {
        let (x, f) = (of.x(0)?, self.eval?);
        Array::of_floats(of.shape, x.floats()?.iter().map(|&v| f(v)).collect())
    }

    fn sign(&self, _node: NodeRef) -> Sign {
        self.sign
    }

    fn may_be_infinite(&self, _node: NodeRef, operand: bool) -> bool {
        operand && !self.bounded
    }

    fn is_singular(&self, _node: NodeRef) -> bool {
        self.singular
    }

    fn is_gate(&self) -> bool {
        self.gate
    }

    fn euler(&self, _node: NodeRef) -> Option<Euler> {
        self.euler.map(Euler::of)
    }

    fn adjoint<'e>(
        &self,
        call: &Call<'_, 'e>,
        _wrt: usize,
        s: Expr<'e>,
    ) -> Result<Expr<'e>, Error> {
        let g = (self.adjoint)(call, s)?;
        Ok(if self.singular { guarded(g, s) } else { g })
    }
}

/// What goes back through a derivative that may be infinite: nothing where nothing arrives, 0 · ∞ = 0.
pub fn guarded<'e>(g: Expr<'e>, s: Expr<'e>) -> Expr<'e> {
    g.where_or(s.is_nonzero(), 0.0)
}
