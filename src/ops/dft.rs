//! `DFT`: the discrete Fourier transform along an axis, or its inverse.

use super::fourier::Transform;
use crate::ir::{Call, Dim, Error, Expr, Kind, NodeRef, Operator, Type, axis};

pub(super) const OPERATOR: &dyn Operator = &Dft;

struct Dft;

impl Operator for Dft {
    fn names(&self) -> &[&'static str] {
        &["DFT"]
    }

    fn attributes(&self) -> &[&'static str] {
        &["axis", "inverse", "onesided"]
    }

    fn arity(&self) -> usize {
        3
    }

    fn since(&self, _name: &str) -> i64 {
        17
    }

    fn infer(&self, node: NodeRef) -> Result<Vec<Type>, Error> {
        let (along, rank) = (along(node)?, node.rank(0)?);
        let (inverse, onesided) = (node.flag("inverse", false)?, node.flag("onesided", false)?);
        let mut dims = node.ty(0)?.shape.clone().unwrap_or_default();
        let parts = dims.last().and_then(|dim| dim.known());
        // Half a spectrum is that of a real signal, and says all of it.
        let fits = parts.is_none_or(|parts| match (onesided, inverse) {
            (true, true) => parts == 2,
            (true, false) => parts == 1,
            _ => matches!(parts, 1 | 2),
        });
        if along + 1 == rank || !fits {
            let what = format!("a Fourier transform along axis {along} of {rank}");
            return Err(Error::Shapes { what });
        }
        let stated = node.input(1).map(|_| match node.constant_ints(1).as_deref() {
            Some(&[length]) => Dim::Known(length),
            _ => Dim::Unknown,
        });
        let length = match stated {
            Some(length) => length,
            None if inverse && onesided => dims[along].map(false, |n| (n - 1).saturating_mul(2)),
            None => dims[along],
        };
        dims[along] = if onesided && !inverse { length.map(false, |n| n / 2 + 1) } else { length };
        dims[rank - 1] = Dim::Known(if onesided && inverse { 1 } else { 2 });
        Ok(vec![Type::new(node.ty(0)?.elem, dims)])
    }

    fn kind(&self, node: NodeRef) -> Result<Kind, Error> {
        let known = |ty: &Type| ty.dim(along(node).ok()?)?.known();
        let (frequencies, length) = (node.ty(0).ok().and_then(known), known(node.output()));
        let is_spectrum = node.flag("inverse", false)? && node.flag("onesided", false)?;
        // Runtimes differ in what they make of others.
        if let (true, Some(have), Some(length)) = (is_spectrum, frequencies, length)
            && have != length / 2 + 1
        {
            let what = format!("half a spectrum of {have} frequencies as {length} elements");
            return Err(Error::Unsupported { what });
        }
        Ok(Kind::Sum)
    }

    fn flows(&self, _node: NodeRef, operand: usize) -> bool {
        operand == 0
    }

    /// Those of the fast transform, by halves.
    fn multiply_adds(&self, node: NodeRef) -> f64 {
        let length = along(node).ok().and_then(|along| node.ty(0).ok()?.dim(along)?.known());
        node.output().least_count() * length.map_or(1.0, |n| (n.max(2) as f64).log2())
    }

    fn adjoint<'e>(
        &self,
        call: &Call<'_, 'e>,
        _wrt: usize,
        s: Expr<'e>,
    ) -> Result<Expr<'e>, Error> {
        transform(call)?.adjoint(s, call.x(0)?)
    }

    fn magnitudes<'e>(&self, call: &Call<'_, 'e>) -> Result<Expr<'e>, Error> {
        transform(call)?.magnitudes(call.x(0)?, call.y())
    }
}

/// The axis: an attribute until opset 20.
fn along(node: NodeRef) -> Result<usize, Error> {
    let rank = node.rank(0)?;
    if node.opset() < 20 {
        return node.axis("axis", 1, rank);
    }
    if node.input(2).is_none() {
        return axis(-2, rank);
    }
    match node.constant_ints(2).as_deref() {
        Some(&[stated]) => axis(stated, rank),
        _ => Err(Error::Unknown { what: "the axis".into() }),
    }
}

fn transform<'e>(call: &Call<'_, 'e>) -> Result<Transform<'e>, Error> {
    let (node, x) = (call.node, call.x(0)?);
    let axis = along(node)?;
    let (inverse, onesided) = (node.flag("inverse", false)?, node.flag("onesided", false)?);
    let length = match node.input(1) {
        Some(_) => match node.constant_ints(1).as_deref() {
            Some(&[length]) => call.emitter().ints(&[length]),
            _ => call.raw(1)?.reshape(&[1]),
        },
        None if inverse && onesided => call.y().size(axis),
        None => x.size(axis),
    };
    Ok(Transform { axis, length, inverse, onesided })
}
