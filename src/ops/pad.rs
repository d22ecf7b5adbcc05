//! `Pad`, with a constant.

use super::{Call, Error, Kind, Operator};
use crate::graph::{Dim, Expr, Type, View};

pub(super) const OPERATOR: &dyn Operator = &Pad;

struct Pad;

impl Operator for Pad {
    fn names(&self) -> &[&'static str] {
        &["Pad"]
    }

    fn infer(&self, node: View) -> Result<Vec<Type>, Error> {
        let (before, after) = pads(node)?;
        let mut ty = node.ty(0)?.clone();
        for (axis, dim) in ty.shape.iter_mut().flatten().enumerate() {
            let more = before[axis].saturating_add(after[axis]);
            *dim = dim.map(more == 0, |size| size.saturating_add(more));
        }
        Ok(vec![ty])
    }

    fn kind(&self, node: View) -> Result<Kind, Error> {
        match node.string("mode", "constant")? {
            "constant" => Ok(Kind::Movement),
            mode => Err(Error::Unsupported { what: format!("Pad in mode {mode}") }),
        }
    }

    fn flows(&self, _node: View, operand: usize) -> bool {
        operand == 0
    }

    fn adjoint<'e>(
        &self,
        call: &Call<'_, 'e>,
        wrt: usize,
        s: Expr<'e>,
    ) -> Result<Expr<'e>, Error> {
        let (before, after) = pads(call.node)?;
        if before.iter().chain(&after).any(|&n| n < 0) {
            return Err(Error::Unsupported { what: "Pad with negative pads".into() });
        }
        let x = call.raw(wrt)?;
        let emitter = call.emitter();
        let mut out = s;
        for axis in (0..before.len()).filter(|&axis| before[axis] + after[axis] > 0) {
            let from = emitter.ints(&[before[axis]]);
            let to = match x.ty().dim(axis) {
                Some(Dim::Known(size)) => emitter.ints(&[before[axis] + size]),
                _ => x.size(axis) + from,
            };
            out = out.slice(axis, from, to)?;
        }
        Ok(out)
    }
}

/// The elements added before and after each axis: an attribute before opset 11, an operand since,
/// and since 18 for chosen axes.
fn pads(node: View) -> Result<(Vec<i64>, Vec<i64>), Error> {
    let rank = node.rank(0)?;
    let unknown = |what: &str| Error::Unknown { what: what.into() };
    let stated = if node.opset() < 11 {
        node.ints("pads")?.unwrap_or_default().to_vec()
    } else {
        node.constant_ints(1).ok_or_else(|| unknown("how much Pad adds"))?
    };
    let axes = match node.input(3) {
        Some(_) => node.constant_ints(3).ok_or_else(|| unknown("the axes of Pad"))?,
        None => (0..rank as i64).collect(),
    };
    if stated.len() != 2 * axes.len() {
        return Err(Error::Shapes { what: format!("pads {stated:?} for {} axes", axes.len()) });
    }
    let (mut before, mut after) = (vec![0; rank], vec![0; rank]);
    for (i, &a) in axes.iter().enumerate() {
        let axis = crate::graph::axis(a, rank)?;
        (before[axis], after[axis]) = (stated[i], stated[axes.len() + i]);
    }
    Ok((before, after))
}
