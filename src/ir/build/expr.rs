//! Handles on values under construction.

use super::Emitter;
use crate::ir::{Error, Origin, Type, Value};

/// A handle on a value under construction.
#[derive(Debug, Clone, Copy)]
pub struct Expr<'e> {
    pub(super) emitter: &'e Emitter,
    pub(super) value: Value,
}

impl<'e> Expr<'e> {
    /// The value.
    pub fn value(self) -> Value {
        self.value
    }

    /// The builder.
    pub fn emitter(self) -> &'e Emitter {
        self.emitter
    }

    /// Its type.
    pub fn ty(self) -> Type {
        self.emitter.graph.borrow().ty(self.value).clone()
    }

    /// Whether it is known not to be negative.
    pub fn is_non_negative(self) -> bool {
        self.emitter.graph.borrow().facts(self.value).non_negative
    }

    /// Its rank, where a formula cannot do without.
    pub fn rank(self) -> Result<usize, Error> {
        self.ty().rank().ok_or(Error::Unknown { what: "the rank of an intermediate value".into() })
    }

    /// Says that the value is a relevance divided by what it is the relevance of.
    #[must_use]
    pub fn as_quotient(self) -> Self {
        if let Origin::New(emitted) =
            &mut self.emitter.graph.borrow_mut().dag[self.value.node].origin
        {
            emitted.is_quotient = true;
        }
        self.named("s")
    }

    /// Says what the value is in the formula: the last part of its node's name.
    #[must_use]
    pub fn named(self, role: &'static str) -> Self {
        if let Origin::New(emitted) =
            &mut self.emitter.graph.borrow_mut().dag[self.value.node].origin
        {
            emitted.label.get_or_insert(role);
        }
        self
    }

    /// An operator of one operand and no attributes.
    pub fn unary(self, op_type: &'static str) -> Self {
        self.emitter.emit(op_type, &[Some(self)], vec![])
    }

    pub(super) fn binary(self, op_type: &'static str, other: Self) -> Self {
        self.emitter.emit(op_type, &[Some(self), Some(other)], vec![])
    }

    pub(super) fn scalar(self, value: f64) -> Self {
        self.emitter.scalar(self.ty().elem, value)
    }
}
