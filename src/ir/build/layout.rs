//! Types and shapes.

use super::Expr;
use crate::{
    ir::{Dim, Error, Type, Value},
    onnx::{
        DataType,
        attribute::{float, int, ints},
    },
};

impl Expr<'_> {
    /// With elements of another type.
    pub fn cast(self, elem: DataType) -> Self {
        if self.ty().elem == elem {
            return self;
        }
        self.emitter.emit("Cast", &[Some(self)], vec![int("to", elem as i64)])
    }

    /// With its axes in another order.
    pub fn transpose(self, order: &[usize]) -> Self {
        if order.is_sorted() {
            return self;
        }
        let perm: Vec<_> = order.iter().map(|&axis| axis as i64).collect();
        self.emitter.emit("Transpose", &[Some(self)], vec![ints("perm", &perm)])
    }

    /// In another shape; one size may be −1 and is then whatever is left.
    pub fn reshape(self, shape: &[i64]) -> Self {
        let ty = self.ty();
        let known: Option<Vec<_>> =
            ty.shape.as_ref().and_then(|dims| dims.iter().map(|d| d.known()).collect());
        if known.as_deref() == Some(shape) {
            return self;
        }
        self.reshape_to(self.emitter.ints(shape))
    }

    /// In the shape that an integer list holds.
    pub fn reshape_to(self, shape: Self) -> Self {
        self.binary("Reshape", shape)
    }

    /// In the shape of `other`, which has as many elements.
    pub fn reshape_like(self, other: Self) -> Self {
        let (ty, wanted) = (self.ty(), other.ty());
        if ty.shape.is_some() && ty.shape == wanted.shape {
            return self;
        }
        // To `Reshape` a size of 0 is that of its operand at the same place.
        if wanted.shape.as_ref().is_some_and(|dims| dims.contains(&Dim::Known(0))) {
            return self.emitter.zeros_like(ty.elem, other);
        }
        let out = self.reshape_to(other.shape());
        // Equal counts are the caller's word, and say more than inference can.
        out.assert(wanted.shape)
    }

    /// The same, where its type could not be inferred but is known to the caller.
    #[must_use]
    pub fn assume(self, ty: Type) -> Self {
        if self.ty().shape.is_none() {
            self.assert(ty.shape);
        }
        if self.ty().elem == DataType::Undefined {
            let Value { node, slot } = self.value();
            self.emitter.graph.borrow_mut().dag[node].outputs[slot as usize].ty.elem = ty.elem;
        }
        self
    }

    /// The same value with a type that the caller knows better than inference does. An error if the two
    /// disagree: then the shapes that the model declares are inconsistent.
    pub fn known_as(self, ty: Type) -> Result<Self, Error> {
        let have = self.ty();
        let agree = |(a, b): (&Dim, &Dim)| a.known().zip(b.known()).is_none_or(|(a, b)| a == b);
        if have.shape.iter().flatten().zip(ty.shape.iter().flatten()).all(agree) {
            return Ok(self.assert(ty.shape.clone()).assume(ty));
        }
        let graph = self.emitter.graph.borrow();
        let (have, ty) = (graph.type_text(&have), graph.type_text(&ty));
        Err(Error::Shapes { what: format!("an operand of type {ty} with a derivative of {have}") })
    }

    /// The same, with a shape that is known better than inference does.
    pub(super) fn assert(self, shape: Option<Vec<Dim>>) -> Self {
        if shape.is_some() {
            let Value { node, slot } = self.value();
            self.emitter.graph.borrow_mut().dag[node].outputs[slot as usize].ty.shape = shape;
        }
        self
    }

    /// Its shape as an integer list to reshape to: constant, with −1 for a single unknown size,
    /// wherever that says it all.
    pub fn shape(self) -> Self {
        if let Some(dims) = self.ty().shape {
            let unknown = dims.iter().filter(|d| d.known().is_none()).count();
            if unknown == 0 || unknown == 1 && !dims.contains(&Dim::Known(0)) {
                let dims: Vec<_> = dims.iter().map(|d| d.known().unwrap_or(-1)).collect();
                return self.emitter.ints(&dims);
            }
        }
        self.unary("Shape")
    }

    /// Its shape as an integer list in which every size is what it is.
    pub fn exact_shape(self) -> Self {
        match self.ty().shape.and_then(|s| s.iter().map(|d| d.known()).collect::<Option<Vec<_>>>())
        {
            Some(dims) => self.emitter.ints(&dims),
            None => self.unary("Shape"),
        }
    }

    /// The size of an axis as a list of one integer.
    pub fn size(self, axis: usize) -> Self {
        if let Some(Dim::Known(n)) = self.ty().dim(axis) {
            return self.emitter.ints(&[n]);
        }
        self.unary("Shape").element(axis)
    }

    /// A new axis of size 1 before each of `axes`, counted in the result.
    pub fn unsqueeze(self, axes: &[usize]) -> Self {
        if axes.is_empty() {
            return self;
        }
        let axes: Vec<_> = axes.iter().map(|&axis| axis as i64).collect();
        if self.emitter.opset() < 13 {
            return self.emitter.emit("Unsqueeze", &[Some(self)], vec![ints("axes", &axes)]);
        }
        self.binary("Unsqueeze", self.emitter.ints(&axes))
    }

    /// Without an axis of size 1.
    pub fn squeeze(self, axis: usize) -> Self {
        if self.emitter.opset() < 13 {
            let axes = vec![ints("axes", &[axis as i64])];
            return self.emitter.emit("Squeeze", &[Some(self)], axes);
        }
        self.binary("Squeeze", self.emitter.ints(&[axis as i64]))
    }

    /// Broadcast to the shape of `other`.
    pub fn expand_like(self, other: Self) -> Self {
        let (ty, wanted) = (self.ty(), other.ty());
        if ty.shape.is_some() && ty.shape == wanted.shape {
            return self;
        }
        self.expand_to(other.exact_shape()).assert(wanted.shape)
    }

    /// Broadcast to the shape that an integer list holds.
    pub fn expand_to(self, shape: Self) -> Self {
        self.binary("Expand", shape)
    }

    /// With `before` and `after` elements of `value` added to each axis.
    pub fn pad(self, before: &[i64], after: &[i64], value: f64) -> Self {
        if before.iter().chain(after).all(|&n| n == 0) {
            return self;
        }
        let pads = [before, after].concat();
        if self.emitter.opset() < 11 {
            let attributes = vec![ints("pads", &pads), float("value", value as f32)];
            return self.emitter.emit("Pad", &[Some(self)], attributes);
        }
        let pads = self.emitter.ints(&pads);
        self.emitter.emit("Pad", &[Some(self), Some(pads), Some(self.scalar(value))], vec![])
    }

    /// As [`Expr::pad`], by as many elements as a list says that is computed at run time.
    pub fn pad_by(self, pads: Self, value: f64) -> Result<Self, Error> {
        if self.emitter.opset() < 11 {
            return Err(Error::Opset { what: "padding by what only shows at run time", since: 11 });
        }
        let inputs = [Some(self), Some(pads), Some(self.scalar(value))];
        Ok(self.emitter.emit("Pad", &inputs, vec![]))
    }

    /// With its last two axes exchanged.
    pub fn matrix_transpose(self) -> Result<Self, Error> {
        let rank = self.rank()?;
        let mut order: Vec<_> = (0..rank).collect();
        if rank >= 2 {
            order.swap(rank - 2, rank - 1);
        }
        Ok(self.transpose(&order))
    }
}
