//! What reductions over axes have in common.

use super::Error;
use crate::{
    graph::{Dim, Expr, Type, View},
    onnx::DataType,
};

/// The axes of a reduction whose axes became an operand at opset `since`: all where none are given,
/// unless `noop_with_empty_axes` says none.
pub fn axes(node: View, since: i64) -> Result<Vec<usize>, Error> {
    let rank = node.rank(0)?;
    Ok(match node.axes(since, rank)? {
        Some(axes) if !axes.is_empty() => axes,
        _ if node.int("noop_with_empty_axes", 0)? != 0 => Vec::new(),
        _ => (0..rank).collect(),
    })
}

/// The type of a reduction over `axes`.
pub fn infer(node: View, axes: &[usize], elem: DataType) -> Result<Vec<Type>, Error> {
    let keep = node.int("keepdims", 1)? != 0;
    let Some(shape) = &node.ty(0)?.shape else { return Ok(Vec::new()) };
    let dims = shape.iter().enumerate().filter_map(|(axis, &dim)| match axes.contains(&axis) {
        true => keep.then_some(Dim::Known(1)),
        false => Some(dim),
    });
    Ok(vec![Type::new(elem, dims.collect())])
}

/// A result with its reduced axes restored with size 1, so that it broadcasts against the operand.
pub fn kept<'e>(node: View, axes: &[usize], y: Expr<'e>) -> Result<Expr<'e>, Error> {
    let mut axes = axes.to_vec();
    axes.sort_unstable();
    Ok(if node.int("keepdims", 1)? != 0 { y } else { y.unsqueeze(&axes) })
}

/// `s` over the number of elements of `x` along `axes`.
pub fn mean<'e>(s: Expr<'e>, x: Expr<'e>, axes: &[usize]) -> Expr<'e> {
    let ty = x.ty();
    let known = |&axis: &usize| ty.dim(axis).and_then(Dim::known);
    match axes.iter().map(known).try_fold(1, |n, size| Some(n * size?)) {
        Some(count) => s / count as f64,
        None => axes.iter().fold(s, |s, &axis| s / x.size(axis).cast(s.ty().elem)),
    }
}
