//! `Gather`: parts along an axis by their indices. Of a constant by integer activations it is an
//! embedding.

use crate::ir::{
    Array, Call, Dim, Error, Evaluation, Expr, Kind, NodeRef, Operator, Sign, Type, axis,
};

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
        if let (Some(places), Some(Dim::Known(size))) =
            (call.node.constant_list(1), x.ty().dim(along))
        {
            let places = places.into_iter().map(|index| axis(index, size as usize));
            let places = places.collect::<Result<Vec<_>, _>>()?;
            if let Some(gradient) = s.put_at_known(&places, along, size) {
                return Ok(gradient);
            }
        }
        s.put_at(indices.reshape(&[-1]), false, along, x.size(along))
    }
}
