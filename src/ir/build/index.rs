//! Parts of values, and products with matrices.

use super::{Emitter, Expr, subgraph::Along};
use crate::{
    ir::{Dim, Error},
    onnx::{
        DataType,
        attribute::{int, ints, string},
        schema::{AttributeProto, TensorProto},
    },
};

impl Expr<'_> {
    /// Some elements of a list, as a list.
    pub fn elements(self, at: &[i64]) -> Self {
        self.binary("Gather", self.emitter.ints(at))
    }

    /// An element of a list, as a list.
    pub fn element(self, at: usize) -> Self {
        self.elements(&[at as i64])
    }

    /// The elements at places along an axis, which are written out.
    pub fn at_places(self, places: &[i64], axis: usize) -> Result<Self, Error> {
        if places.len() as i64 > Emitter::WRITTEN_OUT {
            let what = format!("a list of {} places along an axis", places.len());
            return Err(Error::Unsupported { what });
        }
        let inputs = [Some(self), Some(self.emitter.ints(places))];
        Ok(self.emitter.emit("Gather", &inputs, vec![int("axis", axis as i64)]))
    }

    /// The elements `from..to` along an axis; bounds as lists of one integer, constant or not.
    pub fn slice(self, axis: usize, from: Self, to: Self) -> Result<Self, Error> {
        self.strided(&[axis], from, to, None)
    }

    /// The elements `from..to` along axes, by steps other than 1 where given; bounds as lists of
    /// integers, constant or not.
    pub fn strided(
        self,
        axes: &[usize],
        from: Self,
        to: Self,
        steps: Option<&[i64]>,
    ) -> Result<Self, Error> {
        let axes: Vec<_> = axes.iter().map(|&axis| axis as i64).collect();
        if self.emitter.opset() >= 10 {
            let axes = Some(self.emitter.ints(&axes));
            let steps = steps.map(|steps| self.emitter.ints(steps));
            let inputs = [Some(self), Some(from), Some(to), axes, steps];
            return Ok(self.emitter.emit("Slice", &inputs, vec![]));
        }
        let since_10 = |what| Error::Opset { what, since: 10 };
        if steps.is_some_and(|steps| steps.iter().any(|&step| step != 1)) {
            return Err(since_10("cutting by steps"));
        }
        let known = |list: Self| -> Result<Vec<i64>, Error> {
            let list = list.value();
            let graph = self.emitter.graph();
            let ints = graph.facts(list).ints();
            ints.and_then(|ints| ints.iter().map(|d| d.known()).collect())
                .ok_or_else(|| since_10("cutting at a position known at run time"))
        };
        let bounds =
            vec![ints("axes", &axes), ints("starts", &known(from)?), ints("ends", &known(to)?)];
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
        if self.emitter.opset() < 13 {
            let attributes = vec![along, ints("split", &sizes)];
            return self.emitter.emit_all("Split", &[Some(self)], attributes, count);
        }
        let operands = [Some(self), Some(self.emitter.ints(&sizes))];
        self.emitter.emit_all("Split", &operands, vec![along], count)
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

    /// Lists of integers one after the other, written out where they are known.
    pub fn listed(parts: &[Self]) -> Option<Self> {
        let emitter = parts.first()?.emitter;
        let known = |part: &Self| {
            let value = part.value();
            emitter.graph().facts(value).ints()?.iter().map(|n| n.known()).collect()
        };
        let known: Option<Vec<Vec<i64>>> = parts.iter().map(known).collect();
        known.map_or_else(|| Self::concat(parts, 0), |lists| Some(emitter.ints(&lists.concat())))
    }

    /// The identity matrix of the size of an axis of this.
    pub fn identity_along(self, axis: usize, elem: DataType) -> Result<Self, Error> {
        let size = self.ty().dim(axis).and_then(Dim::known);
        let written_out = size.filter(|n| *n <= Emitter::WRITTEN_OUT);
        let (rows, columns) = if let Some(n) = written_out {
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

    /// The elements at `indices` along an axis.
    pub fn gather_elements(self, indices: Self, axis: usize) -> Result<Self, Error> {
        if self.emitter.opset() < 11 {
            return Err(Error::Opset { what: "gathering what was scattered", since: 11 });
        }
        let axis = vec![int("axis", axis as i64)];
        Ok(self.emitter.emit("GatherElements", &[Some(self), Some(indices)], axis))
    }

    /// The parts at lists of indices.
    pub fn gather_nd(self, indices: Self) -> Self {
        self.binary("GatherND", indices)
    }

    /// With the elements at `indices` along an axis replaced by `updates`.
    pub fn scatter(self, indices: Self, updates: Self, axis: usize) -> Self {
        let op_type = if self.emitter.opset() < 11 { "Scatter" } else { "ScatterElements" };
        let axis = vec![int("axis", axis as i64)];
        self.emitter.emit(op_type, &[Some(self), Some(indices), Some(updates)], axis)
    }

    /// Indices along an axis of this size, counted from its start where they were from its end.
    fn wrapped(self, size: Self) -> Self {
        let indices = self.cast(DataType::Int64);
        let natural = |ints: &[Dim]| ints.iter().all(|n| n.known().is_some_and(|n| n >= 0));
        if indices.asked(|graph, value| graph.facts(value).ints().is_some_and(natural)) {
            return indices;
        }
        let negative = self.emitter.ints(&[0]).exceeds(indices);
        (indices + size).where_(negative, indices)
    }

    /// `zeros`, with the elements of this added at `indices` along an axis.
    pub fn scatter_add(self, indices: Self, axis: usize, zeros: Self) -> Result<Self, Error> {
        let emitter = self.emitter;
        if emitter.opset() >= 16 {
            let inputs = [zeros, indices, self].map(Some);
            let attributes = vec![int("axis", axis as i64), string("reduction", "add")];
            return Ok(emitter.emit("ScatterElements", &inputs, attributes));
        }
        // Without a scatter that adds, one index after the other: memory is that of the data.
        let rank = zeros.rank()?;
        let (mut missing, mut sums) = (vec![0; rank], zeros);
        for other in (0..rank).filter(|&other| other != axis) {
            // There may be fewer indices than elements along another axis.
            missing[other] = match (zeros.ty().dim(other), indices.ty().dim(other)) {
                (a, b) if a == b => 0,
                (Some(Dim::Known(a)), Some(Dim::Known(b))) => {
                    sums = sums.part(other, 0, b);
                    a - b
                }
                _ => return Err(Error::Unknown { what: format!("the size of axis {other}") }),
            };
        }
        let along = Along { axis, backwards: false };
        let scanned = [(indices.wrapped(zeros.size(axis)), along), (self, along)];
        let last = emitter.scan(&[sums], &scanned, &[], |sums, parts| {
            let [index, part] = [0, 1].map(|i| parts[i].unsqueeze(&[axis]));
            // Counted here, as OpenVINO refuses a `Scan` that captures what was computed around it.
            let places = emitter.positions(sums[0], axis)?;
            Ok(vec![sums[0] + index.equals(places).cast(part.ty().elem) * part])
        })?;
        let sums = last.first().map_or(sums, |&sums| sums);
        Ok(sums.pad(&vec![0; rank], &missing, 0.0))
    }

    /// Zeros, with the parts of this along an axis added at a list of `places` on an axis of another size: the
    /// adjoint of taking the parts there. `distinct` says that no place occurs twice.
    pub fn put_at(
        self,
        places: Self,
        distinct: bool,
        axis: usize,
        size: Self,
    ) -> Result<Self, Error> {
        let rank = self.rank()?;
        let mut shape = vec![1; rank];
        shape[axis] = -1;
        let indices = places.reshape(&shape).expand_like(self);
        let sizes: Vec<_> =
            (0..rank).map(|at| if at == axis { size } else { self.size(at) }).collect();
        let sizes = Self::listed(&sizes).unwrap_or(size);
        let zeros = self.scalar(0.0).expand_to(sizes);
        if distinct {
            return Ok(zeros.scatter(indices, self, axis));
        }
        self.scatter_add(indices, axis, zeros)
    }

    /// The same for places on an axis of `size` that are known: padding where they lie side by side, and else
    /// parts of this again, which every runtime has. `None` where that would be much larger than the data,
    /// because some places occur far more often than others.
    pub fn put_at_known(self, places: &[usize], axis: usize, size: i64) -> Option<Self> {
        let rank = self.rank().ok()?;
        let &first = places.first()?;
        if places.iter().copied().eq(first..first + places.len()) {
            let (mut before, mut after) = (vec![0; rank], vec![0; rank]);
            before[axis] = first as i64;
            after[axis] = size - before[axis] - places.len() as i64;
            return Some(self.pad(&before, &after, 0.0));
        }
        let written_out = (size <= Emitter::WRITTEN_OUT).then_some(size as usize)?;
        let mut origins = vec![Vec::new(); written_out];
        for (from, &to) in places.iter().enumerate() {
            origins.get_mut(to)?.push(from as i64);
        }
        let most = origins.iter().map(Vec::len).max()?;
        if most * origins.len() > 4 * origins.len().max(places.len()) {
            return None;
        }
        // Behind the last part are zeros, for places where nothing comes from.
        let none = places.len() as i64;
        let (mut parts, mut after) = (self, vec![0; rank]);
        if origins.iter().any(|from| from.len() < most) {
            after[axis] = 1;
            parts = self.pad(&vec![0; rank], &after, 0.0);
        }
        for from in &mut origins {
            from.resize(most, none);
        }
        let table = origins.concat();
        let shape = if most == 1 { vec![written_out] } else { vec![written_out, most] };
        let table = self.emitter.constant(TensorProto::of_ints(&shape, &table));
        let along = vec![int("axis", axis as i64)];
        let parts = self.emitter.emit("Gather", &[Some(parts), Some(table)], along);
        Some(if most == 1 { parts } else { parts.sum(&[axis + 1], false) })
    }

    /// With the parts at lists of indices replaced by `updates`.
    pub fn scatter_nd(self, indices: Self, updates: Self) -> Self {
        self.emitter.emit("ScatterND", &[Some(self), Some(indices), Some(updates)], vec![])
    }

    /// Zeros like `x`, with the parts of this added at lists of indices.
    pub fn scatter_nd_add(self, indices: Self, x: Self) -> Result<Self, Error> {
        if self.emitter.opset() < 16 {
            return Err(Error::Opset { what: "the adjoint of GatherND", since: 16 });
        }
        let zeros = self.emitter.zeros_like(self.ty().elem, x);
        let inputs = [zeros, indices, self].map(Some);
        Ok(self.emitter.emit("ScatterND", &inputs, vec![string("reduction", "add")]))
    }

    /// x·y, matrices in the last two axes.
    pub fn matmul(self, other: Self) -> Self {
        self.binary("MatMul", other)
    }

    /// What `Gemm` makes of two matrices, and of a third one or zeros.
    pub fn gemm(self, b: Self, c: Option<Self>, attributes: Vec<AttributeProto>) -> Self {
        // The third may be left out since opset 11.
        let c = c.or_else(|| (self.emitter.opset() < 11).then(|| self.scalar(0.0)));
        self.emitter.emit("Gemm", &[Some(self), Some(b), c], attributes)
    }

    /// What `Resize` makes of this, or `Upsample` before it: stretched by `scales`, or to `sizes`. Only
    /// a cropping mode reads the region `roi`.
    pub fn resize(
        self,
        roi: Option<Self>,
        scales: Option<Self>,
        sizes: Option<Self>,
        attributes: Vec<AttributeProto>,
    ) -> Self {
        let opset = self.emitter.opset();
        if opset < 11 {
            let op_type = if opset < 10 { "Upsample" } else { "Resize" };
            return self.emitter.emit(op_type, &[Some(self), scales], attributes);
        }
        // Until opset 13 scales are no option, but may be empty, as the region may.
        let none = || self.emitter.floats(DataType::Float, &[]);
        let roi = roi.or_else(|| Some(none()));
        let scales = scales.or_else(|| (opset < 13).then(none));
        self.emitter.emit("Resize", &[Some(self), roi, scales, sizes], attributes)
    }
}
