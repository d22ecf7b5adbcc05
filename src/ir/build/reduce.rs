//! Sums, and what else makes one number of many.

use super::Expr;
use crate::{
    ir::{Dim, Error, Type},
    onnx::attribute::{int, ints},
};

impl Expr<'_> {
    /// eˣ over its sum along an axis
    pub fn softmax(self, axis: usize) -> Result<Self, Error> {
        let rank = self.rank()?;
        // Before opset 13 it is over all axes from one on.
        let mut order: Vec<_> = (0..rank).collect();
        order.swap(axis, rank - 1);
        let last = vec![int("axis", rank as i64 - 1)];
        let turned = self.transpose(&order);
        Ok(self.emitter.emit("Softmax", &[Some(turned)], last).transpose(&order))
    }

    /// The sum over `axes`, which stay as axes of size 1 if `keep` says so.
    pub fn sum(self, axes: &[usize], keep: bool) -> Self {
        if axes.is_empty() {
            return self;
        }
        let axes: Vec<_> = axes.iter().map(|&axis| axis as i64).collect();
        let keep = int("keepdims", keep.into());
        if self.emitter.opset() < 13 {
            return self.emitter.emit("ReduceSum", &[Some(self)], vec![ints("axes", &axes), keep]);
        }
        let axes = self.emitter.ints(&axes);
        self.emitter.emit("ReduceSum", &[Some(self), Some(axes)], vec![keep])
    }

    /// The product over `axes`, which stay as axes of size 1.
    pub fn product(self, axes: &[usize]) -> Self {
        self.reduce("ReduceProd", axes)
    }

    /// The largest over `axes`, which stay as axes of size 1.
    pub fn max(self, axes: &[usize]) -> Self {
        self.reduce("ReduceMax", axes)
    }

    /// The mean over `axes`, which stay as axes of size 1.
    pub fn mean(self, axes: &[usize]) -> Self {
        self.reduce("ReduceMean", axes)
    }

    fn reduce(self, op_type: &'static str, axes: &[usize]) -> Self {
        let axes: Vec<_> = axes.iter().map(|&axis| axis as i64).collect();
        if self.emitter.opset() < 18 {
            return self.emitter.emit(op_type, &[Some(self)], vec![ints("axes", &axes)]);
        }
        self.binary(op_type, self.emitter.ints(&axes))
    }

    /// The index of the largest value along an axis that stays with size 1; the first on ties.
    pub fn arg_max(self, axis: usize) -> Self {
        self.emitter.emit("ArgMax", &[Some(self)], vec![int("axis", axis as i64)])
    }

    /// Summed over the axes that `target` was broadcast along to get this shape: the adjoint of
    /// broadcasting.
    pub fn sum_to(self, target: Self) -> Result<Self, Error> {
        let unknown = |what: &str| Error::Unknown { what: what.into() };
        let from = self.ty().shape.ok_or_else(|| unknown("the shape of a broadcast result"))?;
        let to = target.ty().shape.ok_or_else(|| unknown("the shape of a broadcast operand"))?;
        let extra = from.len().saturating_sub(to.len());
        let (mut axes, mut open) = (Vec::new(), Vec::new());
        for (i, (&f, &t)) in from[extra..].iter().zip(&to).enumerate() {
            match (f, t) {
                (f, t) if f == t => {}
                (_, Dim::Known(1)) => axes.push(extra + i),
                (_, Dim::Known(_)) => {}
                _ if self.emitter.opset() >= 10 => open.push(i),
                _ => {
                    return Err(unknown(&format!(
                        "whether axis {i} of an operand of shape {} is broadcast",
                        self.emitter.graph.borrow().shape_text(&to)
                    )));
                }
            }
        }
        let leading: Vec<_> = (0..extra).collect();
        let mut kept = self.sum(&axes, true).sum(&leading, false);
        // Sizes of different names may be equal, or one of them 1: that shows at run time.
        if !open.is_empty() && self.emitter.opset() >= 13 {
            let broadcast = kept.exact_shape().equals(target.exact_shape()).unary("Not");
            let axes = broadcast.unary("NonZero").reshape(&[-1]);
            let summed = [Some(kept), Some(axes)];
            let attributes = vec![int("keepdims", 1), int("noop_with_empty_axes", 1)];
            let sum = self.emitter.emit("ReduceSum", &summed, attributes);
            return Ok(sum.assume(Type::new(self.ty().elem, to)));
        }
        // Before opset 13 axes are named in the file. Of a sum in all places along the axis, the first
        // one is left where there is but one in the target; where there is no such sum, all are.
        for axis in open {
            let size = target.size(axis);
            let sum = kept.sum(&[axis], true);
            let chosen = kept.where_(kept.size(axis).equals(size), sum);
            kept = chosen.slice(axis, self.emitter.ints(&[0]), size)?;
        }
        Ok(kept.assert(Some(to)))
    }
}
