//! `Gather`: parts along an axis by their indices. Of a constant by integer activations it is an
//! embedding.

use crate::ir::{
    Array, Call, Dim, Error, Evaluation, Expr, Kind, NodeRef, Operator, Sign, Type, axis,
};
use crate::onnx::attribute::int;

pub(super) const OPERATOR: &dyn Operator = &Gather;

struct Gather;

impl Operator for Gather {
    fn names(&self) -> &[&'static str] {
        &["Gather"]
    }

    fn attributes(&self) -> &[&'static str] {
        &["axis"]
    }

    fn arity(&self) -> usize {
        2
    }

    fn infer(&self, node: NodeRef) -> Result<Vec<Type>, Error> {
        let rank = node.rank(0)?;
        let along = node.axis("axis", 0, rank)?;
        let (Some(data), Some(indices)) = (&node.ty(0)?.shape, &node.ty(1)?.shape) else {
            return Err(Error::Unknown { what: "the shape of the indices".into() });
        };
        let dims = [&data[..along], indices, &data[along + 1..]].concat();
        Ok(vec![Type::new(node.ty(0)?.elem, dims)])
    }

    fn kind(&self, node: NodeRef) -> Result<Kind, Error> {
        Ok(if node.is_active(0) { Kind::Movement } else { Kind::Embedding })
    }

    fn flows(&self, node: NodeRef, operand: usize) -> bool {
        operand == 0 || !node.is_active(0)
    }

    fn eval(&self, of: &Evaluation) -> Option<Array> {
        let (x, indices) = (of.x(0)?, of.x(1)?.ints()?);
        let along = of.node.axis("axis", 0, x.shape().len()).ok()?;
        let mut axes: Vec<_> =
            x.shape().iter().map(|&size| (0..size).collect()).enumerate().collect();
        let place = |index: &Dim| axis(index.known()?, x.shape()[along]).ok();
        axes[along].1 = indices.iter().map(place).collect::<Option<_>>()?;
        x.along(&axes)?.reshaped(of.shape)
    }

    fn sign(&self, node: NodeRef) -> Sign {
        node.sign_of(0)
    }

    fn adjoint<'e>(&self, call: &Call<'_, 'e>, wrt: usize, s: Expr<'e>) -> Result<Expr<'e>, Error> {
        let (rank, indices) = (call.node.rank(0)?, call.raw(1)?);
        let along = call.node.axis("axis", 0, rank)?;
        let depth = indices.rank()?;
        if wrt == 1 {
            // An index gets what the part gets that it fetched.
            let parts = (0..along).chain(along + depth..s.rank()?);
            return Ok(s.sum(&parts.collect::<Vec<_>>(), false));
        }
        let x = call.raw(0)?;
        // What was fetched lies along one axis again.
        let s = match depth {
            0 => s.unsqueeze(&[along]),
            1 => s,
            _ => {
                let known = |axis| x.ty().dim(axis).and_then(Dim::known);
                let after: Option<Vec<_>> = (along + 1..rank).map(known).collect();
                let after =
                    after.ok_or(Error::Unknown { what: "the sizes behind the axis".into() })?;
                let mut shape = vec![0; along];
                shape.push(-1);
                shape.extend(after);
                s.reshape(&shape)
            }
        };
        if let (Some(&[index]), Some(Dim::Known(size))) =
            (call.node.constant_ints(1).as_deref(), x.ty().dim(along))
        {
            let at = axis(index, size as usize)?;
            let (mut before, mut after) = (vec![0; rank], vec![0; rank]);
            (before[along], after[along]) = (at as i64, size - at as i64 - 1);
            return Ok(s.pad(&before, &after, 0.0));
        }
        let identity = x.identity_along(along, s.ty().elem)?;
        let columns = [Some(identity), Some(indices.reshape(&[-1]))];
        let matrix = call.emitter().emit("Gather", &columns, vec![int("axis", 1)]);
        s.times_along(along, matrix)
    }
}
