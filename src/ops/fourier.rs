//! Discrete Fourier transforms: `Yₖ = Σₜ xₜ e^(∓2πi k t / n)`, with real and imaginary parts along the last axis.
//!
//! They are linear, and the adjoint of one is the other, but for a factor.

use super::{resize::MATRIX, sampling::number};
use crate::{
    ir::{Dim, Error, Expr},
    onnx::{DataType, attribute::int},
};

/// A discrete Fourier transform along an axis.
#[derive(Clone, Copy)]
pub struct Transform<'e> {
    /// The axis.
    pub axis: usize,
    /// Its length `n`, a list of one integer.
    pub length: Expr<'e>,
    /// Whether the sign of the exponent is positive, and the sum divided by `n`.
    pub inverse: bool,
    /// Whether the frequencies are only those up to the middle, of which the others of a real signal follow.
    pub onesided: bool,
}

impl<'e> Transform<'e> {
    /// The transform.
    pub fn of(&self, x: Expr<'e>) -> Expr<'e> {
        let emitter = x.emitter();
        let length = self.length.reshape(&[]);
        let kinds = ["inverse", "onesided"].into_iter().zip([self.inverse, self.onesided]);
        let mut attributes: Vec<_> = kinds.map(|(name, holds)| int(name, holds.into())).collect();
        if emitter.opset() < 20 {
            attributes.push(int("axis", self.axis as i64));
            return emitter.emit("DFT", &[Some(x), Some(length)], attributes);
        }
        let axis = emitter.ints(&[self.axis as i64]).reshape(&[]);
        emitter.emit("DFT", &[Some(x), Some(length), Some(axis)], attributes)
    }

    /// The adjoint, for an operand like `x`.
    pub fn adjoint(&self, s: Expr<'e>, x: Expr<'e>) -> Result<Expr<'e>, Error> {
        let last = x.rank()?.saturating_sub(1);
        let parts =
            size(x, last).ok_or(Error::Unknown { what: "whether the signal is complex".into() })?;
        fitted(self.whole_adjoint(s, parts)?, x, self.axis)
    }

    /// The adjoint for an operand that is as long as the transform, with this many parts: a real one, or an
    /// imaginary one, too.
    pub fn whole_adjoint(&self, s: Expr<'e>, parts: i64) -> Result<Expr<'e>, Error> {
        let length = number(self.length, s.ty().elem);
        let is_spectrum = self.inverse && self.onesided;
        let back = Self { inverse: !self.inverse, onesided: is_spectrum, ..*self }.of(s);
        let g = if self.inverse { back / length } else { back * length };
        let g = if is_spectrum { g * self.multiplicity(g)? } else { g };
        Ok(g.part(g.rank()?.saturating_sub(1), 0, parts))
    }

    /// How often a frequency up to the middle stands in the whole spectrum, along the axis: twice, but for the
    /// first and, of an even length, the last.
    fn multiplicity(&self, like: Expr<'e>) -> Result<Expr<'e>, Error> {
        let frequency = like.emitter().positions(like, self.axis)?;
        let zero = like.emitter().ints(&[0]);
        let double = frequency + frequency;
        let both = double.equals(zero).cast(DataType::Int64)
            + double.equals(self.length).cast(DataType::Int64);
        Ok(2.0 - both.cast(like.ty().elem))
    }

    /// `Σ |xₜ|` times the magnitudes of what each is multiplied by, for real and imaginary parts; `y` has the shape
    /// of the result.
    pub fn magnitudes(&self, x: Expr<'e>, y: Expr<'e>) -> Result<Expr<'e>, Error> {
        let last = x.rank()?.saturating_sub(1);
        let (Some(from), Some(to)) = (size(x, self.axis), size(y, self.axis)) else {
            return Err(Error::Unknown { what: "the length of a Fourier transform".into() });
        };
        // What lies beyond the length of the transform is cut off.
        let used = if self.inverse && self.onesided { to / 2 + 1 } else { to };
        let used = if self.onesided && !self.inverse { from } else { from.min(used) };
        let x = x.part(self.axis, 0, used).abs();
        let [mut cos, mut sin] = self.waves(to, used, x.ty().elem)?;
        if self.inverse {
            let times =
                if self.onesided { Some(self.multiplicity(x)?.reshape(&[1, -1])) } else { None };
            let scaled = |wave: Expr<'e>| {
                times.map_or(wave, |times| wave * times) / number(self.length, x.ty().elem)
            };
            (cos, sin) = (scaled(cos), scaled(sin));
        }
        let along = |v: Expr<'e>, waves| v.times_along(self.axis, waves);
        let parts = size(x, last).unwrap_or(1) as usize;
        let [real, imaginary] = if parts == 1 {
            [along(x, cos)?, along(x, sin)?]
        } else {
            let (real, imaginary) = (x.part(last, 0, 1), x.part(last, 1, 2));
            [along(real, cos)? + along(imaginary, sin)?, along(real, sin)? + along(imaginary, cos)?]
        };
        if size(y, last) == Some(1) {
            return Ok(real);
        }
        Ok(Expr::concat(&[real, imaginary], last).unwrap_or(real))
    }

    /// `|cos|` and `|sin|` of `2π k t / n`, `[frequencies, times]` or the other way round. Nodes compute them, which
    /// runtimes fold.
    pub fn waves(&self, rows: i64, columns: i64, elem: DataType) -> Result<[Expr<'e>; 2], Error> {
        if rows.saturating_mul(columns) > MATRIX {
            let what = format!(
                "a Fourier transform of {columns} elements to {rows}, whose magnitudes take a matrix of more than \
                 {MATRIX} elements (the rule gradient takes none),"
            );
            return Err(Error::Unsupported { what });
        }
        let emitter = self.length.emitter();
        // Whole turns are left out while they are integers.
        let rows = emitter.counted(rows)?.reshape(&[-1, 1]);
        let turns = rows * emitter.counted(columns)?.reshape(&[1, -1]);
        let turns = emitter.emit("Mod", &[Some(turns), Some(self.length)], vec![]).cast(elem);
        let angle = turns * (2.0 * std::f64::consts::PI) / number(self.length, elem);
        Ok(["Cos", "Sin"].map(|wave| angle.unary(wave).abs()))
    }
}

fn size(x: Expr<'_>, axis: usize) -> Option<i64> {
    x.ty().dim(axis).and_then(Dim::known)
}

/// `g`, cut off or continued by zeros to the size of `x` along an axis.
fn fitted<'e>(g: Expr<'e>, x: Expr<'e>, axis: usize) -> Result<Expr<'e>, Error> {
    let (have, want) = (g.ty().dim(axis), x.ty().dim(axis));
    match (size(g, axis), size(x, axis)) {
        _ if have == want => Ok(g),
        (Some(have), Some(want)) => {
            let rank = g.rank()?;
            let (before, mut after) = (vec![0; rank], vec![0; rank]);
            after[axis] = (want - have).max(0);
            Ok(g.part(axis, 0, have.min(want)).pad(&before, &after, 0.0))
        }
        _ => {
            let zeros = g.emitter().zeros_like(g.ty().elem, x);
            let both = Expr::concat(&[g, zeros], axis).unwrap_or(g);
            both.slice(axis, g.emitter().ints(&[0]), x.size(axis))
        }
    }
}
