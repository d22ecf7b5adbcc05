//! What reductions over axes have in common.

use crate::{
    ir::{Array, Call, Dim, Error, Evaluation, Expr, Kind, NodeRef, Operator, Sign, Type},
    onnx::DataType,
};

/// A reduction over axes.
pub struct Reduction {
    /// The operator.
    pub name: &'static str,
    /// The operator set since which its axes are an operand.
    pub since: i64,
    /// What kind of operation it is.
    pub kind: Kind,
    /// The sign of the result.
    pub sign: Sign,
    /// The reduction of a list of numbers.
    pub eval: Option<fn(&[f64]) -> f64>,
    /// The adjoint over these axes; `s` and the last argument, the result, have them with size 1.
    pub adjoint: for<'e> fn(Expr<'e>, &[usize], Expr<'e>, Expr<'e>) -> Expr<'e>,
}

impl Operator for Reduction {
    fn names(&self) -> &[&'static str] {
        std::slice::from_ref(&self.name)
    }

    fn attributes(&self) -> &[&'static str] {
        &["axes", "keepdims", "noop_with_empty_axes"]
    }

    fn arity(&self) -> usize {
        2
    }

    fn infer(&self, node: NodeRef) -> Result<Vec<Type>, Error> {
        infer(node, &self.axes(node)?, node.ty(0)?.elem)
    }

    fn kind(&self, _node: NodeRef) -> Result<Kind, Error> {
        Ok(self.kind)
    }

    fn flows(&self, _node: NodeRef, operand: usize) -> bool {
        operand == 0
    }

    fn eval(&self, of: &Evaluation) -> Option<Array> {
        of.x(0)?.reduced(&self.axes(of.node).ok()?, of.shape, self.eval?)
    }

    fn sign(&self, _node: NodeRef) -> Sign {
        self.sign
    }

    /// An element is part of one result only, whose derivative the adjoint of ones lists.
    fn magnitudes<'e>(&self, call: &Call<'_, 'e>) -> Result<Expr<'e>, Error> {
        let (x, y) = (call.x(0)?, call.y());
        let ones = call.emitter().scalar(x.ty().elem, 1.0).expand_like(y);
        let contributions = (x * self.adjoint(call, 0, ones)?).abs();
        let keep = call.node.int("keepdims", 1)? != 0;
        contributions.sum(&self.axes(call.node)?, keep).known_as(y.ty())
    }

    fn adjoint<'e>(
        &self,
        call: &Call<'_, 'e>,
        _wrt: usize,
        s: Expr<'e>,
    ) -> Result<Expr<'e>, Error> {
        let mut axes = self.axes(call.node)?;
        axes.sort_unstable();
        let dropped = if call.node.flag("keepdims", true)? { &[] } else { axes.as_slice() };
        let (s, y) = (s.unsqueeze(dropped), call.y().unsqueeze(dropped));
        Ok((self.adjoint)(call.x(0)?, &axes, s, y))
    }
}

impl Reduction {
    /// The axes: all where none are given, unless `noop_with_empty_axes` says none.
    fn axes(&self, node: NodeRef) -> Result<Vec<usize>, Error> {
        let rank = node.rank(0)?;
        Ok(match node.axes(self.since, rank)? {
            Some(axes) if !axes.is_empty() => axes,
            _ if node.flag("noop_with_empty_axes", false)? => Vec::new(),
            _ => (0..rank).collect(),
        })
    }
}

/// The type of a reduction over `axes`.
pub fn infer(node: NodeRef, axes: &[usize], elem: DataType) -> Result<Vec<Type>, Error> {
    let keep = node.flag("keepdims", true)?;
    let Some(shape) = &node.ty(0)?.shape else { return Ok(Vec::new()) };
    let dims = shape.iter().enumerate().filter_map(|(axis, &dim)| match axes.contains(&axis) {
        true => keep.then_some(Dim::Known(1)),
        false => Some(dim),
    });
    Ok(vec![Type::new(elem, dims.collect())])
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
