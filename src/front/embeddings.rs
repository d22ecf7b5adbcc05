//! Embeddings that are written as products: one-hot rows times a constant matrix are parts of the matrix.
//!
//! What fetches by an index has no other weights than those it fetched, so that every index is to get all of
//! their relevance. So such a product is read as the `Gather` that it is.

use crate::{
    ir::{Dim, Emitter, Error, Graph, NodeRef, Value},
    onnx::{DataType, attribute::int, schema::NodeProto},
};

/// A product of one-hot rows and a matrix.
pub(super) struct Fetch {
    matrix: Value,
    indices: Value,
    /// Whether the indices have an axis of size 1 behind the others, to be compared along.
    has_axis: bool,
}

impl Fetch {
    /// Reads a product as a fetch, if its rows are made of integer activations.
    pub fn of(graph: &Graph, call: &NodeProto, operands: &[Option<Value>]) -> Option<Self> {
        let standard = call.op_type() == "MatMul" && call.plain_domain().is_empty();
        let (true, &[Some(rows), Some(matrix)]) = (standard, operands) else { return None };
        let ty = graph.ty(matrix);
        let count = ty.dim(0).and_then(Dim::known)?;
        if ty.rank() != Some(2) || graph.is_active(matrix) {
            return None;
        }
        let mut node = graph.node(rows.node);
        while matches!(node.op_type(), "Cast" | "Identity") {
            node = graph.node(node.input(0)?.node);
        }
        let (indices, has_axis) = match node.op_type() {
            "OneHot" => (one_hot(node, count)?, false),
            "Equal" => (compared(node, count)?, true),
            _ => return None,
        };
        let whole = matches!(graph.ty(indices).elem, DataType::Int32 | DataType::Int64);
        (whole && graph.is_active(indices)).then_some(Self { matrix, indices, has_axis })
    }

    /// The fetch as a formula.
    pub fn written(self, emitter: &Emitter) -> Result<Vec<Option<Value>>, Error> {
        let [matrix, mut indices] = [self.matrix, self.indices].map(|value| emitter.value(value));
        if self.has_axis {
            indices = indices.squeeze(indices.rank()?.saturating_sub(1));
        }
        let fetched = emitter.emit("Gather", &[Some(matrix), Some(indices)], vec![int("axis", 0)]);
        Ok(vec![Some(fetched.value())])
    }
}

/// The indices of a `OneHot` over that many classes along its last axis, with 1 for hot and 0 for cold.
fn one_hot(node: NodeRef<'_>, count: i64) -> Option<Value> {
    let rank = node.rank(0).ok()? as i64;
    let last = [-1, rank].contains(&node.int("axis", -1).ok()?);
    let depth = node.graph().constant(node.input(1)?)?;
    let values = node.graph().facts(node.input(2)?).contents.as_ref()?;
    let plain = match (values.floats(), values.ints()) {
        (Some(&[cold, hot]), _) => cold.abs() <= 0.0 && (hot - 1.0).abs() <= 0.0,
        (_, Some(ints)) => ints == [Dim::Known(0), Dim::Known(1)],
        _ => false,
    };
    (last && plain && (depth - count as f64).abs() <= 0.0).then_some(node.input(0)?)
}

/// What is compared with the numbers 0, 1, … of that many classes, along an axis of its own.
fn compared(node: NodeRef<'_>, count: i64) -> Option<Value> {
    let (graph, operands) = (node.graph(), [node.input(0)?, node.input(1)?]);
    let [indices, classes] =
        if graph.is_active(operands[0]) { operands } else { [operands[1], operands[0]] };
    let (ty, shape) = (graph.ty(indices), graph.ty(classes).shape.as_ref()?);
    let (&last, others) = shape.split_last()?;
    let fits = last == Dim::Known(count)
        && others.iter().all(|dim| *dim == Dim::Known(1))
        && ty.rank().is_some_and(|rank| rank >= shape.len())
        && ty.shape.as_ref()?.last() == Some(&Dim::Known(1));
    let numbers = graph.list(classes)?;
    (fits && numbers.into_iter().eq(0..count)).then_some(indices)
}
