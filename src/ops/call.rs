//! An operator applied to operands: what operators compute on.

use super::{Error, Operator};
use crate::graph::{Emitter, Expr, Value, View};

/// An operator applied to operands under construction.
#[derive(Clone)]
pub struct Call<'g, 'e> {
    /// The node whose attributes and types count.
    pub node: View<'g>,
    operator: &'static dyn Operator,
    emitter: &'e Emitter,
    operands: Vec<Option<Operand<'e>>>,
    output: Value,
}

#[derive(Clone, Copy)]
enum Operand<'e> {
    /// A value of the source.
    Source(Value),
    /// What stands in its place.
    Given(Expr<'e>),
}

impl<'g, 'e> Call<'g, 'e> {
    /// The call that `node` is in the source; `output` is its result, or that of the group it
    /// stands for.
    pub fn new(
        node: View<'g>,
        operator: &'static dyn Operator,
        emitter: &'e Emitter,
        output: Value,
    ) -> Self {
        let operands = node.inputs().into_iter().map(|v| v.map(Operand::Source)).collect();
        Self { node, operator, emitter, operands, output }
    }

    /// The same call with another operand.
    #[must_use]
    pub fn with(mut self, operand: usize, expr: Option<Expr<'e>>) -> Self {
        if operand >= self.operands.len() {
            self.operands.resize(operand + 1, None);
        }
        self.operands[operand] = expr.map(Operand::Given);
        self
    }

    /// The builder.
    pub fn emitter(&self) -> &'e Emitter {
        self.emitter
    }

    /// An operand in the precision of relevance, if it is given.
    pub fn get(&self, operand: usize) -> Option<Expr<'e>> {
        Some(match (*self.operands.get(operand)?)? {
            Operand::Source(value) => self.emitter.real(value),
            Operand::Given(expr) => expr,
        })
    }

    /// The number of places for operands, given or not.
    pub fn arity(&self) -> usize {
        self.operands.len()
    }

    /// An operand that the operator cannot do without.
    pub fn x(&self, operand: usize) -> Result<Expr<'e>, Error> {
        self.get(operand).ok_or(Error::Operand { operand, what: "is missing".into() })
    }

    /// An operand as it is: an index, a shape, a condition, a type.
    pub fn raw(&self, operand: usize) -> Result<Expr<'e>, Error> {
        match self.operands.get(operand).copied().flatten() {
            Some(Operand::Source(value)) => Ok(self.emitter.value(value)),
            Some(Operand::Given(expr)) => Ok(expr),
            None => Err(Error::Operand { operand, what: "is missing".into() }),
        }
    }

    /// The result in the source, in the precision of relevance.
    pub fn y(&self) -> Expr<'e> {
        self.emitter.real(self.output)
    }

    /// The operation on these operands.
    pub fn forward(&self) -> Result<Expr<'e>, Error> {
        self.operator.forward(self)
    }

    /// The adjoint at these operands.
    pub fn adjoint(&self, wrt: usize, s: Expr<'e>) -> Result<Expr<'e>, Error> {
        let gradient = self.operator.adjoint(self, wrt, s)?;
        Ok(gradient.assume(self.raw(wrt)?.ty().with(s.ty().elem)))
    }

    /// The node again, on these operands.
    pub fn repeat(&self) -> Result<Expr<'e>, Error> {
        let floating = |operand: usize| {
            self.node.input(operand).is_none_or(|v| self.node.graph().ty(v).is_float())
        };
        let inputs: Vec<_> = (0..self.operands.len())
            .map(|i| if floating(i) { self.get(i) } else { self.raw(i).ok() })
            .collect();
        let op_type = self.op_type()?;
        Ok(self.emitter.emit(op_type, &inputs, self.node.attributes().to_vec()))
    }

    /// The other operand of an operation of `x` and a constant.
    pub fn beside(&self, x: Value) -> Result<Expr<'e>, Error> {
        self.x(usize::from(self.node.input(0) == Some(x)))
    }

    /// The operator's name.
    pub fn op_type(&self) -> Result<&'static str, Error> {
        let name = self.node.op_type();
        let known = self.operator.names().iter().copied().find(|known| *known == name);
        known.ok_or_else(|| Error::Unsupported { what: format!("the operator {name}") })
    }
}
