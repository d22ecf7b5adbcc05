//! `Split`: pieces along an axis. Their sizes were an attribute until opset 13, are an operand since, and
//! equal where none are given.

use crate::ir::{Call, Dim, Error, Expr, Kind, NodeRef, Operator, Sign, Type, Value};

pub(super) const OPERATOR: &dyn Operator = &Split;

struct Split;

impl Operator for Split {
    fn names(&self) -> &[&'static str] {
        &["Split"]
    }

    fn attributes(&self) -> &[&'static str] {
        &["axis", "num_outputs", "split"]
    }

    fn arity(&self) -> usize {
        2
    }

    fn infer(&self, node: NodeRef) -> Result<Vec<Type>, Error> {
        let ty = node.ty(0)?;
        let along = node.axis("axis", 0, node.rank(0)?)?;
        let pieces = node.output_count();
        let total = ty.dim(along).unwrap_or(Dim::Unknown);
        let sizes: Vec<Dim> = match (node.opset() < 13, node.input(1)) {
            (true, _) if node.attribute("split").is_some() => {
                node.ints("split")?.unwrap_or_default().iter().copied().map(Dim::Known).collect()
            }
            (false, Some(_)) => {
                node.contents(1).map_or(vec![Dim::Unknown; pieces], <[Dim]>::to_vec)
            }
            _ => {
                // The last one is smaller where they do not come out even.
                let size = |i: usize| {
                    total.map(pieces == 1, |n| {
                        let each = (n + pieces as i64 - 1) / pieces as i64;
                        each.min(n - each * i as i64).max(0)
                    })
                };
                (0..pieces).map(size).collect()
            }
        };
        let known: Option<Vec<_>> = sizes.iter().map(|d| d.known()).collect();
        let sum = known.as_deref().map(|sizes| {
            sizes.iter().try_fold(0i64, |sum, &n| sum.checked_add(n).filter(|_| n >= 0))
        });
        let whole = match (sum, total) {
            (Some(None), _) => false,
            (Some(Some(sum)), Dim::Known(total)) => sum == total,
            _ => true,
        };
        if sizes.len() != pieces || !whole {
            let what = format!("{pieces} pieces of the sizes {sizes:?} of an axis of {total:?}");
            return Err(Error::Shapes { what });
        }
        let piece = |size| {
            let mut piece = ty.clone();
            if let Some(dim) = piece.shape.as_mut().and_then(|dims| dims.get_mut(along)) {
                *dim = size;
            }
            piece
        };
        Ok(sizes.into_iter().map(piece).collect())
    }

    fn kind(&self, _node: NodeRef) -> Result<Kind, Error> {
        Ok(Kind::Movement)
    }

    fn flows(&self, _node: NodeRef, operand: usize) -> bool {
        operand == 0
    }

    fn sign(&self, node: NodeRef) -> Sign {
        node.sign_of(0)
    }

    fn has_several_outputs(&self) -> bool {
        true
    }

    /// The pieces put together again, with zeros for those that nothing comes back from.
    fn adjoint_of_all<'e>(
        &self,
        call: &Call<'_, 'e>,
        _wrt: usize,
        s: &[Option<Expr<'e>>],
    ) -> Result<Expr<'e>, Error> {
        let rank = call.node.rank(0)?;
        let along = call.node.axis("axis", 0, rank)?;
        let pad = |v: Expr<'e>, before: i64, after: i64| {
            let (mut front, mut back) = (vec![0; rank], vec![0; rank]);
            (front[along], back[along]) = (before, after);
            v.pad(&front, &back, 0.0)
        };
        let (mut whole, mut gap): (Option<Expr<'e>>, i64) = (None, 0);
        for slot in 0..call.node.output_count() {
            let piece = Value { node: call.node.index(), slot: slot as u32 };
            match (s.get(slot).copied().flatten(), call.node.graph().ty(piece).dim(along)) {
                (Some(s), _) => {
                    let parts = match whole {
                        Some(whole) => vec![pad(whole, 0, gap), s],
                        None => vec![pad(s, gap, 0)],
                    };
                    (whole, gap) = (Expr::concat(&parts, along), 0);
                }
                (None, Some(Dim::Known(size))) => gap += size,
                (None, _) => {
                    return Err(Error::Unknown { what: "the size of a piece of Split".into() });
                }
            }
        }
        let whole = whole.ok_or(Error::Unsupported { what: "relevance of no piece".into() })?;
        Ok(pad(whole, 0, gap))
    }

    fn adjoint<'e>(&self, call: &Call<'_, 'e>, wrt: usize, s: Expr<'e>) -> Result<Expr<'e>, Error> {
        self.adjoint_of_all(call, wrt, &[Some(s)])
    }
}
