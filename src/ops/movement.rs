//! What movements have in common: elements of the first input go elsewhere, unchanged.

use crate::ir::{Array, Call, Error, Evaluation, Expr, Kind, NodeRef, Operator, Sign, Type};

/// A movement of the elements of the first input; all others say where to.
pub struct Movement {
    /// The operator.
    pub name: &'static str,
    /// The operator set that it came with.
    pub since: i64,
    /// The attributes that it reads, or that mean nothing here.
    pub attributes: &'static [&'static str],
    /// The most inputs that it has.
    pub inputs: usize,
    /// What kind of operation it is: a movement, where it is one.
    pub kind: fn(NodeRef) -> Result<Kind, Error>,
    /// The types of the outputs.
    pub infer: fn(NodeRef) -> Result<Vec<Type>, Error>,
    /// The movement of elements that are known.
    pub eval: fn(&Evaluation) -> Option<Array>,
    /// The movement back: zeros where nothing came from, sums of what went to several places.
    pub adjoint: for<'e> fn(&Call<'_, 'e>, Expr<'e>) -> Result<Expr<'e>, Error>,
}

/// The movement that leaves everything where it is.
pub const MOVEMENT: Movement = Movement {
    name: "",
    since: 9,
    attributes: &[],
    inputs: 1,
    kind: |_| Ok(Kind::Movement),
    infer: |node| node.like_input(),
    eval: |_| None,
    adjoint: |_, s| Ok(s),
};

/// The same elements in another shape, which `infer` tells.
pub const RESHAPING: Movement = Movement {
    eval: |of| of.x(0)?.reshaped(of.shape),
    adjoint: |call, s| Ok(s.reshape_like(call.raw(0)?)),
    ..MOVEMENT
};

impl Operator for Movement {
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
        (self.infer)(node)
    }

    fn kind(&self, node: NodeRef) -> Result<Kind, Error> {
        (self.kind)(node)
    }

    fn flows(&self, _node: NodeRef, operand: usize) -> bool {
        operand == 0
    }

    fn eval(&self, of: &Evaluation) -> Option<Array> {
        (self.eval)(of)
    }

    fn sign(&self, node: NodeRef) -> Sign {
        node.sign_of(0)
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
