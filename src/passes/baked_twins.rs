//! `baked-twins`: what is computed of constants alone is written as a constant.
//!
//! Runtimes fold such nodes when they load a model, so that by default a file does not grow by its
//! weights; this is for those that do not. It is the only pass that reads weights.
//!
//! Runs with `--bake-twins`, before `dead-nodes`, which removes what the constants were computed from.

use std::collections::BTreeMap;

use ndarray::{ArrayD, Axis, IxDyn, Slice};

use super::{Action, Pass, Runs};
use crate::{
    ir::{Graph, NodeRef, Origin, Value, Verdict, axis},
    onnx::{Tensor, schema::TensorProto},
};

pub(super) const PASS: Pass =
    Pass { name: "baked-twins", runs: Runs::OnRequest, action: Action::Graph(rewrite) };

fn rewrite(graph: &Graph, outputs: &[Value]) -> (Graph, Vec<Value>) {
    graph.rebuild(graph.nodes(), outputs, |node, _, _| {
        let value = Value { node, slot: 0 };
        let added = matches!(graph.origin(node), Origin::New(_)) && !graph.is_active(value);
        // What only other such nodes read is not needed.
        let read = graph
            .readers(value)
            .any(|reader| graph.outputs(reader).any(|result| graph.is_active(result)));
        if !added || !read || !graph.ty(value).is_float() {
            return Verdict::Keep;
        }
        match evaluate(graph, value) {
            Some(array) => Verdict::Constant(Box::new(TensorProto::of_floats(
                graph.ty(value).elem,
                array.shape(),
                &array.iter().copied().collect::<Vec<_>>(),
            ))),
            None => Verdict::Keep,
        }
    })
}

/// The elements of a value that depends on no input, if all operators on the way are known here.
fn evaluate(graph: &Graph, value: Value) -> Option<ArrayD<f64>> {
    if let Some(tensor) = graph.tensor(value) {
        let shape: Vec<_> = tensor.dims.iter().map(|&d| d as usize).collect();
        let numbers = Tensor::new(tensor, graph.external()).all_floats()?;
        return ArrayD::from_shape_vec(IxDyn(&shape), numbers).ok();
    }
    if value.slot > 0 || graph.is_active(value) {
        return None;
    }
    let view = graph.node(value.node);
    let known = view.operator().is_some();
    let x = |operand: usize| evaluate(graph, view.input(operand)?);
    let one = |f: fn(f64) -> f64| Some(x(0)?.mapv(f));
    let two = |f: fn(f64, f64) -> f64| pairwise(&x(0)?, &x(1)?, f);
    match view.op_type() {
        _ if !known => None,
        "Identity" | "Cast" | "CastLike" => x(0),
        "Relu" => one(|v| v.max(0.0)),
        "Abs" => one(f64::abs),
        "Neg" => one(|v| -v),
        "Sqrt" => one(f64::sqrt),
        "Reciprocal" => one(f64::recip),
        "Add" => two(|a, b| a + b),
        "Sub" => two(|a, b| a - b),
        "Mul" => two(|a, b| a * b),
        "Div" => two(|a, b| a / b),
        "Pow" => two(f64::powf),
        "Reshape" | "Squeeze" | "Unsqueeze" | "Flatten" => {
            let shape = known_shape(graph, value)?;
            ArrayD::from_shape_vec(IxDyn(&shape), x(0)?.into_iter().collect()).ok()
        }
        "Expand" => Some(x(0)?.broadcast(IxDyn(&known_shape(graph, value)?))?.to_owned()),
        "Transpose" => {
            let array = x(0)?;
            let order: Vec<_> = match view.ints("perm").ok()? {
                Some(perm) => perm.iter().map(|&axis| axis as usize).collect(),
                None => (0..array.ndim()).rev().collect(),
            };
            (order.len() == array.ndim()).then(|| array.permuted_axes(order))
        }
        "Slice" if view.opset() >= 10 => sliced(view, x(0)?),
        _ => None,
    }
}

fn known_shape(graph: &Graph, value: Value) -> Option<Vec<usize>> {
    let dims = graph.ty(value).shape.as_ref()?.iter();
    dims.map(|dim| usize::try_from(dim.known()?).ok()).collect()
}

/// A function of each pair of elements, as ONNX broadcasts them.
fn pairwise(a: &ArrayD<f64>, b: &ArrayD<f64>, f: fn(f64, f64) -> f64) -> Option<ArrayD<f64>> {
    let rank = a.ndim().max(b.ndim());
    let size = |array: &ArrayD<f64>, at: usize| {
        (at + array.ndim()).checked_sub(rank).map_or(1, |axis| array.len_of(Axis(axis)))
    };
    let shape: Vec<_> =
        (0..rank).map(|at| if size(a, at) == 1 { size(b, at) } else { size(a, at) }).collect();
    let (a, b) = (a.broadcast(IxDyn(&shape))?, b.broadcast(IxDyn(&shape))?);
    Some(ndarray::Zip::from(a).and(b).map_collect(|&a, &b| f(a, b)))
}

fn sliced(view: NodeRef, mut array: ArrayD<f64>) -> Option<ArrayD<f64>> {
    let list = |operand: usize| view.constant_ints(operand);
    let (starts, ends) = (list(1)?, list(2)?);
    let axes = list(3).unwrap_or_else(|| (0..starts.len() as i64).collect());
    let steps = list(4).unwrap_or_else(|| vec![1; starts.len()]);
    let bounds: BTreeMap<_, _> =
        axes.into_iter().zip(starts.into_iter().zip(ends).zip(steps)).collect();
    for (at, ((from, to), step)) in bounds {
        let along = axis(at, array.ndim()).ok()?;
        let size = array.len_of(Axis(along)) as i64;
        let place = |n: i64| if n < 0 { n.saturating_add(size) } else { n };
        // Backwards, from the last element that is taken to the first.
        let (first, beyond) = match step {
            1.. => (place(from).clamp(0, size), place(to).clamp(0, size)),
            _ => (place(to).clamp(-1, size - 1) + 1, place(from).clamp(-1, size - 1) + 1),
        };
        if step == 0 || first > beyond {
            return None;
        }
        // `ndarray` counts backwards from the end of the range, as ONNX does from its start.
        array = array
            .slice_axis(
                Axis(along),
                Slice::new(first as isize, Some(beyond as isize), step as isize),
            )
            .to_owned();
    }
    Some(array)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ir::Emitter, onnx::Model};

    #[test]
    fn what_is_computed_of_weights_is_a_constant() {
        let model = Model::open("fixtures/forms/gemm.op17.onnx").unwrap();
        let graph = crate::front::import(&model, &crate::ops::REGISTRY).unwrap();
        let emitter = Emitter::new(&graph);
        let weights = graph.node(graph.by_name("y").unwrap().node).input(1).unwrap();
        let x = emitter.value(graph.by_name("x").unwrap());
        let twin = emitter.value(weights).relu();
        let list = |n: i64| Some(emitter.ints(&[n]));
        let turned = [Some(twin), list(-1), list(i64::MIN), list(1), list(-2)];
        let turned = emitter.emit("Slice", &turned, vec![]);
        let outputs = [(x.sum(&[0, 1], true) * turned).value()];
        let (fresh, outputs) = rewrite(&emitter.finish(), &outputs);
        let baked = fresh.node(outputs[0].node).input(1).unwrap();
        let array = evaluate(&fresh, baked).unwrap();
        assert!(matches!(fresh.origin(baked.node), Origin::NewConstant(_)));
        let w = evaluate(&graph, weights).unwrap();
        let columns = w.len_of(Axis(1));
        for (row, want) in array.outer_iter().zip(w.outer_iter()) {
            let want: Vec<_> = (0..columns).rev().step_by(2).map(|i| want[i].max(0.0)).collect();
            assert_eq!(row.iter().copied().collect::<Vec<_>>(), want);
        }
    }
}
