//! Handles on values under construction.

use super::Emitter;
use crate::{
    ir::{Error, Graph, Origin, Type, Value},
    onnx::DataType,
};

/// A handle on a value under construction.
#[derive(Debug, Clone, Copy)]
pub struct Expr<'e> {
    pub(super) emitter: &'e Emitter,
    pub(super) value: Value,
    /// How many graphs lie around the one that the value belongs to.
    pub(super) level: usize,
}

impl<'e> Expr<'e> {
    /// The value in the graph under construction: itself, or what a subgraph has for a value from outside.
    pub fn value(self) -> Value {
        if self.level > self.emitter.level() {
            self.emitter.error.borrow_mut().get_or_insert(Error::outside());
            return self.emitter.scalar(DataType::Float, 0.0).value;
        }
        self.emitter.captured(self.value, self.level)
    }

    /// The builder.
    pub fn emitter(self) -> &'e Emitter {
        self.emitter
    }

    /// What is asked of the graph about the value.
    pub(crate) fn asked<T>(self, ask: impl FnOnce(&Graph, Value) -> T) -> T {
        // What stands for a value of a graph around is appended to this one first, which must not be read meanwhile.
        let value = self.value();
        ask(&self.emitter.graph(), value)
    }

    /// Its type.
    pub fn ty(self) -> Type {
        let value = self.value();
        self.emitter.graph.borrow().ty(value).clone()
    }

    /// Whether it is known not to be negative.
    pub fn is_non_negative(self) -> bool {
        let value = self.value();
        self.emitter.graph.borrow().facts(value).non_negative
    }

    /// The same, which the caller knows not to be negative.
    pub(super) fn assert_non_negative(self) -> Self {
        let Value { node, slot } = self.value();
        self.emitter.graph.borrow_mut().dag[node].outputs[slot as usize].non_negative = true;
        self
    }

    /// Its rank, where a formula cannot do without.
    pub fn rank(self) -> Result<usize, Error> {
        self.ty().rank().ok_or(Error::Unknown { what: "the rank of an intermediate value".into() })
    }

    /// Says that the value is a relevance divided by what it is the relevance of.
    #[must_use]
    pub fn as_quotient(self) -> Self {
        let node = self.value().node;
        if let Origin::New(emitted) = &mut self.emitter.graph.borrow_mut().dag[node].origin {
            emitted.is_quotient = true;
        }
        self.named("s")
    }

    /// Says what the value is in the formula: the last part of its node's name.
    #[must_use]
    pub fn named(self, role: &'static str) -> Self {
        let node = self.value().node;
        if let Origin::New(emitted) = &mut self.emitter.graph.borrow_mut().dag[node].origin {
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
