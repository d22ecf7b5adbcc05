//! Parts of values, and products with matrices.

use super::Expr;
use crate::{
    ir::{Dim, Error, Value},
    onnx::{
        DataType,
        attribute::{int, ints, string},
        schema::TensorProto,
    },
};

impl Expr<'_> {
    /// An element of a list, as a list.
    pub fn element(self, at: usize) -> Self {
        self.binary("Gather", self.emitter.ints(&[at as i64]))
    }

    /// The elements `from..to` along an axis; bounds as lists of one integer, constant or not.
    pub fn slice(self, axis: usize, from: Self, to: Self) -> Result<Self, Error> {
        if self.emitter.opset() >= 10 {
            let axes = self.emitter.ints(&[axis as i64]);
            let inputs = [Some(self), Some(from), Some(to), Some(axes)];
            return Ok(self.emitter.emit("Slice", &inputs, vec![]));
        }
        let graph = self.emitter.graph.borrow();
        let known = |e: Self| graph.facts(e.value).ints()?.first()?.known();
        let (Some(from), Some(to)) = (known(from), known(to)) else {
            return Err(Error::Opset {
                what: "cutting at a position known at run time",
                since: 10,
            });
        };
        drop(graph);
        let bounds =
            vec![ints("axes", &[axis as i64]), ints("starts", &[from]), ints("ends", &[to])];
        Ok(self.emitter.emit("Slice", &[Some(self)], bounds))
    }

    /// The elements `from..to` along an axis.
    pub fn part(self, axis: usize, from: i64, to: i64) -> Self {
        if from == 0 && self.ty().dim(axis) == Some(Dim::Known(to)) {
            return self;
        }
        // Only bounds that are not known can be refused.
        let [from, to] = [from, to].map(|n| self.emitter.ints(&[n]));
        self.slice(axis, from, to).unwrap_or(self)
    }

    /// Pieces of size 1 along an axis of that size.
    pub fn split(self, axis: usize, count: usize) -> Vec<Self> {
        let sizes = vec![1; count];
        let along = int("axis", axis as i64);
        let node = if self.emitter.opset() < 13 {
            self.emitter.node("Split", &[Some(self)], vec![along, ints("split", &sizes)], count)
        } else {
            let operands = [Some(self), Some(self.emitter.ints(&sizes))];
            self.emitter.node("Split", &operands, vec![along], count)
        };
        (0..count).map(|slot| self.emitter.expr(Value { node, slot: slot as u32 })).collect()
    }

    /// One after the other along an axis.
    pub fn concat(parts: &[Self], axis: usize) -> Option<Self> {
        match parts {
            [] => None,
            [one] => Some(*one),
            [first, ..] => {
                let parts: Vec<_> = parts.iter().copied().map(Some).collect();
                Some(first.emitter.emit("Concat", &parts, vec![int("axis", axis as i64)]))
            }
        }
    }

    /// The identity matrix of the size of an axis of this.
    pub fn identity_along(self, axis: usize, elem: DataType) -> Result<Self, Error> {
        let (rows, columns) = if let Some(Dim::Known(n)) = self.ty().dim(axis) {
            let (positions, n) = ((0..n).collect::<Vec<_>>(), n as usize);
            let list =
                |dims: [usize; 2]| self.emitter.constant(TensorProto::of_ints(&dims, &positions));
            (list([n, 1]), list([1, n]))
        } else {
            let positions = self.emitter.positions(self, axis)?;
            (positions.reshape(&[-1, 1]), positions.reshape(&[1, -1]))
        };
        Ok(rows.equals(columns).cast(elem))
    }

    /// Every list along an axis times a matrix: `y[…, i, …] = Σ_o self[…, o, …] · matrix[i, o]`, the
    /// adjoint of what makes `o` of `i` by that matrix.
    pub fn times_along(self, axis: usize, matrix: Self) -> Result<Self, Error> {
        let rank = self.rank()?;
        if axis + 1 == rank {
            return Ok(self.matmul(matrix.transpose(&[1, 0])));
        }
        if axis + 2 == rank {
            return Ok(matrix.matmul(self));
        }
        let mut order: Vec<_> = (0..rank).collect();
        order.swap(axis, rank - 2);
        Ok(matrix.matmul(self.transpose(&order)).transpose(&order))
    }

    /// With the elements at `indices` along an axis replaced by `updates`, or with those added.
    pub fn scatter(self, indices: Self, updates: Self, axis: usize, add: bool) -> Self {
        let mut attributes = vec![int("axis", axis as i64)];
        attributes.extend(add.then(|| string("reduction", "add")));
        let op_type = if self.emitter.opset() < 11 { "Scatter" } else { "ScatterElements" };
        self.emitter.emit(op_type, &[Some(self), Some(indices), Some(updates)], attributes)
    }

    /// With the parts at lists of indices replaced by `updates`, or with those added.
    pub fn scatter_nd(self, indices: Self, updates: Self, add: bool) -> Self {
        let attributes = add.then(|| string("reduction", "add")).into_iter().collect();
        self.emitter.emit("ScatterND", &[Some(self), Some(indices), Some(updates)], attributes)
    }

    /// x·y, matrices in the last two axes.
    pub fn matmul(self, other: Self) -> Self {
        self.binary("MatMul", other)
    }
}
