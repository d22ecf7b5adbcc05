//! `MatMul`, with a third operand that ONNX does not know: a bias that is added.

use crate::ir::{
    Call, Dim, Error, Expr, Kind, Linear, NodeRef, Operator, Role, Sign, Type, broadcast,
};

pub(super) const OPERATOR: &dyn Operator = &MatMul;

struct MatMul;

impl Operator for MatMul {
    fn names(&self) -> &[&'static str] {
        &["MatMul"]
    }

    fn arity(&self) -> usize {
        2
    }

    fn infer(&self, node: NodeRef) -> Result<Vec<Type>, Error> {
        node.of_one_type(0)?;
        let (rank_a, rank_b) = (node.rank(0)?, node.rank(1)?);
        let (a, b) = (node.ty(0)?, node.ty(1)?);
        let dims = |ty: &Type| ty.shape.clone().unwrap_or_default();
        let (mut a_dims, mut b_dims) = (dims(a), dims(b));
        if rank_a == 0 || rank_b == 0 {
            return Err(Error::Shapes { what: "a number as a matrix".into() });
        }
        if rank_a == 1 {
            a_dims.insert(0, Dim::Known(1));
        }
        if rank_b == 1 {
            b_dims.push(Dim::Known(1));
        }
        let (a_batch, a_matrix) = a_dims.split_at(a_dims.len() - 2);
        let (b_batch, b_matrix) = b_dims.split_at(b_dims.len() - 2);
        if let (Dim::Known(k), Dim::Known(l)) = (a_matrix[1], b_matrix[0])
            && k != l
        {
            return Err(Error::Shapes { what: format!("{k} columns and {l} rows") });
        }
        let batch = [a_batch, b_batch].map(|dims| Type::new(a.elem, dims.to_vec()));
        let batch = broadcast(&batch).map_err(|(m, n)| Error::Shapes {
            what: format!("sizes {m} and {n} do not broadcast"),
        })?;
        let mut out = batch.unwrap_or_default();
        out.extend((rank_a > 1).then_some(a_matrix[0]));
        out.extend((rank_b > 1).then_some(b_matrix[1]));
        Ok(vec![Type::new(a.elem, out)])
    }

    fn kind(&self, node: NodeRef) -> Result<Kind, Error> {
        let both = node.is_active(0) && node.is_active(1);
        Ok(if both { Kind::Product } else { Kind::Weighted })
    }

    fn role(&self, operand: usize) -> Option<Role> {
        Some(if operand == 2 { Role::Bias } else { Role::Weight })
    }

    fn sign(&self, _node: NodeRef) -> Sign {
        Sign::AsOperands
    }

    fn multiply_adds(&self, node: NodeRef) -> f64 {
        let inner = node.ty(0).ok().and_then(|a| a.shape.as_ref()?.last()?.known());
        node.output().least_count() * inner.map_or(1.0, |n| n as f64)
    }

    fn linear(&self) -> Option<&dyn Linear> {
        Some(self)
    }

    fn forward<'e>(&self, call: &Call<'_, 'e>) -> Result<Expr<'e>, Error> {
        let product = call.x(0)?.matmul(call.x(1)?);
        Ok(call.get(2).map_or(product, |bias| product + bias))
    }

    fn adjoint<'e>(&self, call: &Call<'_, 'e>, wrt: usize, s: Expr<'e>) -> Result<Expr<'e>, Error> {
        // A list is a row on the left and a column on the right.
        let (mut a, mut b, mut s) = (call.x(0)?, call.x(1)?, s);
        let (row, column) = (a.rank()? == 1, b.rank()? == 1);
        let rank = s.rank()?;
        if row {
            a = a.unsqueeze(&[0]);
        }
        if column {
            b = b.unsqueeze(&[1]);
        }
        s = match (row, column) {
            (true, true) => s.unsqueeze(&[0, 1]),
            (true, false) => s.unsqueeze(&[rank - 1]),
            (false, true) => s.unsqueeze(&[rank]),
            (false, false) => s,
        };
        let (gradient, operand) = match wrt {
            0 => {
                let size = |from_end| b.ty().dim(b.rank().ok()?.checked_sub(from_end)?)?.known();
                (s.matmul(b.for_gradient(size(2), size(1)).matrix_transpose()?), a)
            }
            _ => (a.matrix_transpose()?.matmul(s), b),
        };
        // Only a stack of matrices on the other side can have been more than this operand's.
        let other = if wrt == 0 { b } else { a };
        let gradient = if other.rank()? > 2 { gradient.sum_to(operand)? } else { gradient };
        Ok(if row || column { gradient.reshape_like(call.raw(wrt)?) } else { gradient })
    }
}

impl Linear for MatMul {
    fn features(&self, node: NodeRef) -> Result<Option<usize>, Error> {
        let rank = node.output().rank().ok_or(Error::Unknown { what: "the rank".into() })?;
        let (x_rank, w_rank) = if node.is_active(0) {
            (node.rank(0)?, node.rank(1)?)
        } else {
            (node.rank(1)?, node.rank(0)?)
        };
        Ok(match (w_rank, node.is_active(0)) {
            (1, _) => None,
            (_, true) => rank.checked_sub(1),
            // A list on the right leaves the rows as the last axis.
            (_, false) => rank.checked_sub(if x_rank == 1 { 1 } else { 2 }),
        })
    }

    fn count(&self, node: NodeRef) -> Option<i64> {
        let operand = usize::from(node.is_active(0));
        let rank = node.rank(operand).ok()?;
        let axis = if operand == 1 { rank.checked_sub(1) } else { rank.checked_sub(2) };
        node.ty(operand).ok()?.dim(axis?)?.known()
    }

    fn scale<'e>(&self, node: NodeRef, w: Expr<'e>, g: Expr<'e>) -> Result<Expr<'e>, Error> {
        Ok(w * if node.is_active(0) { g } else { g.unsqueeze(&[1]) })
    }
}
