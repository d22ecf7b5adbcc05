//! Sums, and what else makes one number of many.

use super::Expr;
use crate::{
    ir::{Dim, Error},
    onnx::attribute::{int, ints},
};

impl Expr<'_> {
    /// eˣ over its sum along an axis
    pub fn softmax(self, axis: usize) -> Result<Self, Error> {
        self.normalised("Softmax", axis)
    }

    /// The logarithm of eˣ over its sum along an axis
    pub fn log_softmax(self, axis: usize) -> Result<Self, Error> {
        self.normalised("LogSoftmax", axis)
    }

    fn normalised(self, op_type: &'static str, axis: usize) -> Result<Self, Error> {
        let rank = self.rank()?;
        if axis >= rank {
            return Err(Error::Shapes { what: format!("axis {axis} of a tensor of rank {rank}") });
        }
        // Before opset 13 it is over all axes from one on.
        let mut order: Vec<_> = (0..rank).collect();
        order.swap(axis, rank - 1);
        let last = vec![int("axis", rank as i64 - 1)];
        let turned = self.transpose(&order);
        Ok(self.emitter.emit(op_type, &[Some(turned)], last).transpose(&order))
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
        if !open.is_empty() && self.emitter.opset() >= 14 {
            return Ok(kept.sum_along_broadcast(target, &open).assert(Some(to)));
        }
        // Before opset 14 a shape cannot say that an axis is empty. Behind the axis comes its sum: what is
        // left is the axis where it is that of the target, and its sum elsewhere.
        for axis in open {
            let (have, size) = (kept.size(axis), target.size(axis));
            let from = self.emitter.ints(&[0]).where_(have.equals(size), have);
            let both = [Some(kept), Some(kept.sum(&[axis], true))];
            let both = self.emitter.emit("Concat", &both, vec![int("axis", axis as i64)]);
            kept = both.slice(axis, from, from + size)?;
        }
        Ok(kept.assert(Some(to)))
    }

    /// Summed over those of the `open` axes that `target`, of the same rank, was broadcast along.
    fn sum_along_broadcast(self, target: Self, open: &[usize]) -> Self {
        let (from, to) = (self.exact_shape(), target.exact_shape());
        // Axis i becomes two, of size `to` and `times`, the second of which is summed over: axes that
        // are known at run time only are refused by runtimes such as OpenVINO.
        let rank = self.ty().rank().unwrap_or_default();
        let times = self.emitter.ints(&[1]).where_(from.equals(to), from);
        let (mut sizes, mut axes) = (Vec::new(), Vec::new());
        for axis in 0..rank {
            sizes.push(axis as i64);
            if open.contains(&axis) {
                axes.push(sizes.len());
                sizes.push((rank + axis) as i64);
            }
        }
        let both = [Some(to), Some(times)];
        let both = self.emitter.emit("Concat", &both, vec![int("axis", 0)]);
        let shape = both.elements(&sizes);
        let parts = [Some(self), Some(shape)];
        self.emitter.emit("Reshape", &parts, vec![int("allowzero", 1)]).sum(&axes, false)
    }
}
