//! `Det`: determinants of square matrices, by Laplace's expansion.

use crate::ir::{Call, Dim, Error, Expr, Kind, NodeRef, Operator, Type};

pub(super) const OPERATOR: &dyn Operator = &Det;

struct Det;

/// An expansion of larger matrices has too many terms.
const LARGEST: i64 = 4;

impl Operator for Det {
    fn names(&self) -> &[&'static str] {
        &["Det"]
    }

    fn since(&self, _name: &str) -> i64 {
        11
    }

    fn infer(&self, node: NodeRef) -> Result<Vec<Type>, Error> {
        let (ty, rank) = (node.ty(0)?, node.rank(0)?);
        let Some((dims, [rows, columns])) = ty.shape.as_ref().and_then(|d| d.split_last_chunk())
        else {
            return Err(Error::Shapes { what: format!("the determinant of {rank} axes") });
        };
        if rows.known().zip(columns.known()).is_some_and(|(rows, columns)| rows != columns) {
            return Err(Error::Shapes { what: "the determinant of no square".into() });
        }
        Ok(vec![Type::new(ty.elem, dims.to_vec())])
    }

    fn kind(&self, node: NodeRef) -> Result<Kind, Error> {
        size(node).map(|_| Kind::Leaf)
    }

    /// Each element counts by its cofactor.
    fn adjoint<'e>(
        &self,
        call: &Call<'_, 'e>,
        _wrt: usize,
        s: Expr<'e>,
    ) -> Result<Expr<'e>, Error> {
        let rank = call.node.rank(0)?;
        Ok(cofactors(call)? * s.unsqueeze(&[rank - 2, rank - 1]))
    }

    fn magnitudes<'e>(&self, call: &Call<'_, 'e>) -> Result<Expr<'e>, Error> {
        let rank = call.node.rank(0)?;
        Ok((call.x(0)? * cofactors(call)?).abs().sum(&[rank - 2, rank - 1], false))
    }
}

/// The number of rows.
fn size(node: NodeRef) -> Result<usize, Error> {
    let rank = node.rank(0)?;
    match node.ty(0)?.dim(rank - 1).and_then(Dim::known) {
        Some(n @ 1..=LARGEST) => Ok(n as usize),
        Some(n) => {
            Err(Error::Unsupported { what: format!("Det of {n} rows, of more than {LARGEST},") })
        }
        None => Err(Error::Unknown { what: "the size of the matrices".into() }),
    }
}

/// The determinants that are left of a matrix without the row and the column of each element, in its shape.
fn cofactors<'e>(call: &Call<'_, 'e>) -> Result<Expr<'e>, Error> {
    let (x, n, rank) = (call.x(0)?, size(call.node)?, call.node.rank(0)?);
    let rows: Vec<_> = x.split(rank - 2, n).into_iter().map(|row| row.split(rank - 1, n)).collect();
    let one = call.emitter().scalar(x.ty().elem, 1.0).expand_like(rows[0][0]);
    let row = |at: usize| {
        let row: Vec<_> = (0..n).map(|j| signed(at + j, minor(&rows, at, j, one))).collect();
        Expr::concat(&row, rank - 1).unwrap_or(x)
    };
    Ok(Expr::concat(&(0..n).map(row).collect::<Vec<_>>(), rank - 2).unwrap_or(x))
}

/// The determinant of a matrix without a row and a column; `one` is that of an empty matrix.
fn minor<'e>(rows: &[Vec<Expr<'e>>], row: usize, column: usize, one: Expr<'e>) -> Expr<'e> {
    let without = |list: &[Expr<'e>]| [&list[..column], &list[column + 1..]].concat();
    let rest: Vec<_> = rows[..row].iter().chain(&rows[row + 1..]).map(|r| without(r)).collect();
    let Some(first) = rest.first() else { return one };
    let terms = first.iter().enumerate().map(|(j, &x)| signed(j, x * minor(&rest, 0, j, one)));
    terms.reduce(|sum, term| sum + term).unwrap_or(one)
}

/// Negative at odd places.
fn signed(place: usize, x: Expr<'_>) -> Expr<'_> {
    if place.is_multiple_of(2) { x } else { -x }
}
