//! Evaluation: what is computed of constants and shapes, before a model runs.
//!
//! Every operator says in [`Operator::eval`] what becomes of elements. Small arrays are kept with their
//! values when their nodes are appended, so that shapes, bounds and conditions are known; larger ones,
//! which are weights, are computed by an [`Evaluator`] for whoever asks.

use std::collections::BTreeMap;

use super::{Array, Graph, NodeRef, Operator, Type, Value, array};
use crate::onnx::schema::TensorProto;

/// A node with the elements of its inputs.
pub struct Evaluation<'a> {
    /// The node.
    pub node: NodeRef<'a>,
    /// The shape of its first output.
    pub shape: &'a [usize],
    inputs: &'a [Option<&'a Array>],
}

impl<'a> Evaluation<'a> {
    /// An input, if it is given and all that it is computed of is known.
    pub fn x(&self, input: usize) -> Option<&'a Array> {
        self.inputs.get(input).copied().flatten()
    }

    /// All inputs, likewise.
    pub fn all(&self) -> Option<Vec<&'a Array>> {
        self.inputs.iter().copied().collect()
    }

    /// The first output, as elements of its type; `None` where it has more than `limit`.
    pub(super) fn output(
        node: NodeRef,
        operator: &dyn Operator,
        ty: &Type,
        limit: usize,
        inputs: &[Option<&Array>],
    ) -> Option<Array> {
        let dims = ty.shape.as_ref()?.iter();
        let shape =
            dims.map(|dim| usize::try_from(dim.known()?).ok()).collect::<Option<Vec<_>>>()?;
        // Beside an axis of no elements another may be of any size.
        let few = |&count: &usize| count <= limit && shape.iter().all(|&size| size <= limit);
        array::count(&shape).filter(few)?;
        let output = operator.eval(&Evaluation { node, shape: &shape, inputs })?.cast(ty.elem)?;
        (output.shape() == shape).then_some(output)
    }
}

/// How many elements are computed for each that the graph has, and for the graph as such.
const EACH: usize = 64;
const ANY: usize = 1 << 20;

/// Computes constants on demand, until so many elements have been computed.
pub struct Evaluator<'g> {
    graph: &'g Graph,
    budget: usize,
}

impl<'g> Evaluator<'g> {
    /// An evaluator that computes in proportion to the constants of the graph, and some 10⁹ elements at most.
    pub fn new(graph: &'g Graph) -> Self {
        let tensors = graph.nodes().filter_map(|node| graph.tensor(Value { node, slot: 0 }));
        let count = |tensor: &TensorProto| {
            tensor.dims.iter().fold(1, |n: usize, &size| n.saturating_mul(size as usize))
        };
        let all = tensors.map(count).fold(ANY, |all, n| all.saturating_add(n.saturating_mul(EACH)));
        Self { graph, budget: all.min(1 << 30) }
    }

    /// The elements of a value, if it depends on no input, and on nothing that is not evaluated here.
    pub fn value(&mut self, value: Value) -> Option<Array> {
        let mut reads = BTreeMap::from([(value, 1)]);
        let mut waiting = vec![value];
        while let Some(next) = waiting.pop() {
            for input in self.operands(next).into_iter().flatten() {
                let count = reads.entry(input).or_insert(0);
                *count += 1;
                waiting.extend((*count == 1).then_some(input));
            }
        }
        // The order of values is that of execution. What nothing reads any more is let go.
        let mut known = BTreeMap::new();
        for next in reads.keys().copied().collect::<Vec<_>>() {
            let inputs = self.operands(next);
            let array = self.step(next, &inputs, &known);
            for input in inputs.into_iter().flatten() {
                let left = reads.entry(input).or_insert(1);
                *left -= 1;
                if *left == 0 {
                    known.remove(&input);
                }
            }
            known.extend(array.map(|array| (next, array)));
        }
        known.remove(&value)
    }

    /// What has to be known before a value is.
    fn operands(&self, value: Value) -> Vec<Option<Value>> {
        let graph = self.graph;
        let kept = graph.facts(value).contents.is_some() || graph.tensor(value).is_some();
        if kept || graph.is_active(value) || value.slot > 0 {
            return Vec::new();
        }
        graph.inputs(value.node)
    }

    fn step(
        &mut self,
        value: Value,
        inputs: &[Option<Value>],
        known: &BTreeMap<Value, Array>,
    ) -> Option<Array> {
        let graph = self.graph;
        let array = if let Some(contents) = &graph.facts(value).contents {
            contents.clone()
        } else if let Some(tensor) = graph.tensor(value) {
            Array::of_tensor(tensor, graph.external())?
        } else if graph.is_active(value) || value.slot > 0 {
            return None;
        } else {
            let inputs: Vec<_> = inputs.iter().map(|input| known.get(&(*input)?)).collect();
            let view = graph.node(value.node);
            Evaluation::output(view, view.operator()?, graph.ty(value), self.budget, &inputs)?
        };
        self.budget = self.budget.checked_sub(array.len())?;
        Some(array)
    }
}
