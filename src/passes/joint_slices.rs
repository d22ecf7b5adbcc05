//! `joint-slices`: where slices of two tensors are added one by one, the tensors are added and sliced.
//!
//! In a dense block the concatenation in front of each layer begins with all that the one before it
//! holds, and gives each part its relevance by itself: a slice and a sum for each part of each
//! concatenation, quadratic in the number of layers. Sums of neighbouring slices are slices of one
//! sum, to which the next concatenation adds in turn.
//!
//! Runs at `-O2`, before `common-subexpressions`, which shares the sums that it makes.

use std::collections::BTreeMap;

use super::{Action, Pass, Runs};
use crate::ir::{Dim, Emitter, Expr, Graph, NodeIndex, Origin, Value, Verdict};

pub(super) const PASS: Pass =
    Pass { name: "joint-slices", runs: Runs::AtO2, action: Action::Graph(rewrite) };

/// The elements `from..to` along an axis of a [`Whole`], by its place in a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Part {
    whole: usize,
    axis: usize,
    from: i64,
    to: i64,
}

/// What has parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Whole {
    /// A tensor.
    Tensor(Value),
    /// The sum of two others along an axis, the first of them shifted back by `shift`.
    Sum { left: usize, right: usize, axis: usize, shift: i64 },
}

/// The parts of a whole that are there.
#[derive(Debug)]
struct Parts {
    whole: Whole,
    all: Vec<Part>,
}

impl Parts {
    /// Where they begin and end, if there are several and they lie side by side.
    fn range(&self) -> Option<(i64, i64)> {
        let mut parts = self.all.clone();
        parts.sort_unstable();
        parts.dedup();
        let adjoin = parts.windows(2).all(|pair| matches!(pair, [a, b] if a.to == b.from));
        match parts.as_slice() {
            [first, .., last] if adjoin => Some((first.from, last.to)),
            _ => None,
        }
    }
}

fn rewrite(graph: &Graph, outputs: &[Value]) -> (Graph, Vec<Value>) {
    let (wholes, sums) = sums_of_parts(graph);
    let emitter = Emitter::new(graph);
    let ranges: Vec<_> = wholes.iter().map(Parts::range).collect();
    // What was emitted for a whole, and the place that it begins at.
    let mut emitted: Vec<Option<(Expr, i64)>> = Vec::new();
    for Parts { whole, .. } in &wholes {
        emitted.push(match whole {
            Whole::Tensor(value) => Some((emitter.value(*value), 0)),
            Whole::Sum { .. } => None,
        });
    }
    let (mut order, mut instead) = (Vec::new(), BTreeMap::new());
    let mut count = graph.nodes().len();
    for node in graph.nodes() {
        if let (Some(part), Origin::New(sum)) = (sums.get(&node), graph.origin(node)) {
            emitter.enter(&sum.scope);
            // Wholes are places in these lists. One that is the sum of two comes after both, as its
            // first part comes after a part of each.
            let joint = emitted[part.whole].or_else(|| {
                let Whole::Sum { left, right, shift, .. } = wholes[part.whole].whole else {
                    return None;
                };
                let (from, to) = ranges[part.whole]?;
                let left = cut(emitted[left]?, part.axis, from + shift, to + shift);
                Some((left + cut(emitted[right]?, part.axis, from, to), from))
            });
            emitted[part.whole] = joint;
            if let Some(joint) = joint {
                let slice = cut(joint, part.axis, part.from, part.to).value().node;
                instead.insert(node, slice);
                order.extend((count..=slice.index()).map(NodeIndex::new));
                count = count.max(slice.index() + 1);
            }
        }
        order.push(node);
    }
    let mut moved = BTreeMap::new();
    emitter.finish().rebuild(order, outputs, |node, next, _| {
        moved.insert(node, next);
        match instead.get(&node).and_then(|slice| moved.get(slice)) {
            Some(&node) => Verdict::Replace(Value { node, slot: 0 }),
            None => Verdict::Keep,
        }
    })
}

/// Places of a tensor that begins at one of its own.
fn cut((tensor, start): (Expr<'_>, i64), axis: usize, from: i64, to: i64) -> Expr<'_> {
    tensor.part(axis, from - start, to - start)
}

/// The sums of two parts, and the wholes that they are parts of, each behind those it is the sum of.
fn sums_of_parts(graph: &Graph) -> (Vec<Parts>, BTreeMap<NodeIndex, Part>) {
    let (mut wholes, mut places) = (Vec::new(), BTreeMap::new());
    let mut place = |whole: Whole, wholes: &mut Vec<Parts>| {
        *places.entry(whole).or_insert_with(|| {
            wholes.push(Parts { whole, all: Vec::new() });
            wholes.len() - 1
        })
    };
    let (mut parts, mut sums) = (BTreeMap::<Value, Part>::new(), BTreeMap::new());
    for node in graph.nodes() {
        let (view, value) = (graph.node(node), Value { node, slot: 0 });
        let Origin::New(_) = graph.origin(node) else { continue };
        let inputs: Vec<_> = graph.inputs(node).into_iter().flatten().collect();
        match (view.op_type(), inputs.as_slice()) {
            ("Slice", &[of, ..]) => {
                if let Some((axis, from, to)) = bounds(graph, node) {
                    let whole = place(Whole::Tensor(of), &mut wholes);
                    parts.insert(value, Part { whole, axis, from, to });
                }
            }
            ("Add", [left, right]) => {
                let (Some(&l), Some(&r)) = (parts.get(left), parts.get(right)) else { continue };
                let shape = &graph.ty(*left).shape;
                let same = *shape == graph.ty(*right).shape && l.axis == r.axis;
                if !same || shape.iter().flatten().any(|dim| *dim == Dim::Unknown) {
                    continue;
                }
                let (left, right, shift) = (l.whole, r.whole, l.from - r.from);
                let whole = place(Whole::Sum { left, right, axis: l.axis, shift }, &mut wholes);
                let part = Part { whole, ..r };
                wholes[whole].all.push(part);
                parts.insert(value, part);
                sums.insert(node, part);
            }
            _ => {}
        }
    }
    (wholes, sums)
}

/// The axis that a slice cuts and the places it keeps, if they are constants within the tensor.
fn bounds(graph: &Graph, slice: NodeIndex) -> Option<(usize, i64, i64)> {
    let view = graph.node(slice);
    let &[of, from, to, axis] = graph.inputs(slice).as_slice() else { return None };
    let one = |operand| match view.constant_ints(operand)?.as_slice() {
        &[n] => Some(n),
        _ => None,
    };
    let (from, to, axis) =
        (from.and(one(1))?, to.and(one(2))?, usize::try_from(axis.and(one(3))?).ok()?);
    let size = graph.ty(of?).dim(axis)?.known()?;
    (0 <= from && from < to && to <= size).then_some((axis, from, to))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        onnx::Model,
        passes::{self, tests::added},
    };

    /// What becomes of the sums of parts of two tensors, given where they lie in each.
    fn joined(places: &[(i64, i64)]) -> Vec<String> {
        let model = Model::open("fixtures/forms/concat_nested.op17.onnx").unwrap();
        let graph = crate::front::import(&model, &crate::ops::REGISTRY).unwrap();
        let emitter = Emitter::new(&graph);
        let [c, d] = ["c", "d"].map(|name| emitter.value(graph.by_name(name).unwrap()));
        let sum = |&(a, b): &(i64, i64)| d.part(1, a, a + 1) + c.part(1, b, b + 1);
        let outputs: Vec<_> = places.iter().map(|place| sum(place).value()).collect();
        let (fresh, outputs) = rewrite(&emitter.finish(), &outputs);
        let (fresh, _) = passes::rewritten(&[passes::dead_nodes::PASS], fresh, outputs);
        added(&fresh).into_iter().map(str::to_string).collect()
    }

    #[test]
    fn neighbours_are_summed_at_once() {
        assert_eq!(joined(&[(3, 0), (4, 1)]), ["Slice", "Slice", "Add", "Slice", "Slice"]);
        assert_eq!(joined(&[(1, 1), (0, 0)]), ["Slice", "Slice", "Add", "Slice", "Slice"]);
    }

    #[test]
    fn what_does_not_lie_side_by_side_in_both_is_summed_by_itself() {
        let apart = ["Slice", "Slice", "Add", "Slice", "Slice", "Add"];
        assert_eq!(joined(&[(6, 0), (3, 1)]), apart);
        assert_eq!(joined(&[(0, 0), (2, 2)]), apart);
        assert_eq!(joined(&[(3, 0)]), apart[..3]);
    }
}
