//! What the words of a rule are as formulas: modified values, and quotients that stay finite.

use super::Relevance;
use crate::{
    ir::Expr,
    onnx::{DataType, schema::TensorProto},
    rules::{Modifier, Stabiliser},
};

impl Modifier {
    /// The modified value.
    pub fn apply<'e>(&self, v: Expr<'e>) -> Expr<'e> {
        let elem = v.ty().elem;
        match self {
            Self::Identity => v,
            Self::Absolute => v.abs(),
            Self::Positive => v.relu(),
            Self::Negative => -(-v).relu(),
            Self::NegativeMagnitude => (-v).relu(),
            Self::One => v.emitter().scalar(elem, 1.0).expand_like(v),
            Self::Square => v * v,
            Self::MorePositive(gamma) => v + v.relu() * *gamma,
            Self::MoreNegative(gamma) => v - (-v).relu() * *gamma,
            Self::Constant(numbers) => {
                let rank = v.ty().rank().unwrap_or(0).max(1);
                let mut dims = vec![1; rank];
                dims[usize::from(rank > 1)] = numbers.len();
                let list = TensorProto::of_floats(elem, &dims, numbers);
                v.emitter().constant(list).expand_like(v)
            }
        }
    }
}

/// The largest quotient where the denominator can vanish: what the next layers make of it stays
/// finite in float32.
const SATURATION: f64 = 1e30;

/// Stabilisers up to this are dropped where relevance already has the factor `z`: beside activations of the
/// usual size, float32 cannot tell.
const NEGLIGIBLE: f64 = 1e-9;

/// What keeps `1 / (d + δ / d)`, which is `1 / d`, finite and 0 at the pole. A float32 that is next to
/// −ε = −1e-9 differs by 1e-16.
const POLE: f64 = 1e-36;

impl Stabiliser {
    /// `R`, the relevance of `y`, divided by `z`.
    pub fn divide<'e>(self, r: Relevance<'e>, y: Expr<'e>, z: Expr<'e>) -> Expr<'e> {
        let numerator = r.of.unwrap_or(r.per);
        let smooth = z.emitter().lowering().smooth_poles && z.ty().elem != DataType::Double;
        let quotient = match self {
            Self::Whole => return r.value(),
            Self::Magnitudes(_) => return self.by_magnitudes(r, y, z),
            Self::SignOver(epsilon) if self.is_signed(z) && smooth => {
                let size = z.magnitude();
                numerator / (size + epsilon * epsilon / size)
            }
            Self::SignOver(_) => self.over(numerator * z.sign(), z),
            _ => self.over(numerator, z),
        };
        let s = if r.of.is_some() { r.per * quotient } else { quotient };
        // Where z can vanish, what is divided by it multiplies from layer to layer, and would
        // overflow.
        if self.is_signed(z) { s.saturate(SATURATION) } else { s }
    }

    /// `R · sign(y)` divided by the magnitudes of what makes up `y`. Where `R` has a factor `y`, that is
    /// `|y|`, and the quotient of the two is at most 1.
    fn by_magnitudes<'e>(self, r: Relevance<'e>, y: Expr<'e>, z: Expr<'e>) -> Expr<'e> {
        match r.per(y) {
            Some(per) => per * self.over(if y.is_non_negative() { y } else { y.abs() }, z),
            None if y.is_non_negative() => self.over(r.value(), z),
            None => self.over(r.value() * y.sign(), z),
        }
    }

    /// `z ⊙` [`Stabiliser::divide`]: where the sign is a factor, `z · sign(z) = |z|`.
    pub fn share<'e>(self, r: Expr<'e>, z: Expr<'e>) -> Expr<'e> {
        let numerator = match self {
            Self::SignOver(_) if self.is_signed(z) => z.abs(),
            _ => z,
        };
        // The quotient first: it is at most 1, so that nothing overflows.
        r * self.over(numerator, z)
    }

    /// Whether it is for numerical stability alone. In float64, which can tell, it never is.
    pub fn is_idle(self, z: Expr<'_>) -> bool {
        z.ty().elem != DataType::Double
            && matches!(self, Self::SignOver(epsilon) | Self::Over(epsilon) | Self::Signed(epsilon)
                if epsilon <= NEGLIGIBLE)
    }

    /// The other factor of an `R` that has the factor `z`, times the sign of `z` where that counts: what
    /// [`Stabiliser::divide`] gives without dividing.
    ///
    /// `z / (z + ε)` is 1 but for a part of ε, which is why this is exact up to ε away from the pole. Of a
    /// product with a gate the other factor lends its sign, since it is kept anyway: where the gate is shut,
    /// nothing is shared, whatever the sign.
    pub fn cofactor<'e>(self, r: Relevance<'e>, z: Expr<'e>) -> Option<Expr<'e>> {
        let per = r.per(z).filter(|_| self.is_idle(z))?;
        Some(if self.is_signed(z) { per * z.ungated().sign() } else { per })
    }

    /// [`Stabiliser::share`] where `R` has a factor `z`: all of it, by the sign of `z`.
    pub fn idle<'e>(self, r: Relevance<'e>, z: Expr<'e>) -> Option<Relevance<'e>> {
        let per = r.per(z).filter(|_| self.is_idle(z))?;
        Some(if self.is_signed(z) { Relevance::product(z.abs(), per) } else { r })
    }

    /// Whether the sign of `z` counts.
    fn is_signed(self, z: Expr<'_>) -> bool {
        matches!(self, Self::SignOver(_)) && !z.is_non_negative()
    }

    /// The numerator over the stabilised `z`.
    fn over<'e>(self, numerator: Expr<'e>, z: Expr<'e>) -> Expr<'e> {
        let masks = z.emitter().lowering().masks && z.ty().elem == DataType::Float;
        match self {
            Self::SignOver(epsilon) => {
                let d = z + epsilon;
                if z.is_non_negative() {
                    return numerator / d;
                }
                // The formula has a pole at z = −ε, which a finite input can hit.
                if masks {
                    return numerator / (d + POLE / d);
                }
                numerator / d.where_or(d.is_nonzero(), f64::from(f32::MAX))
            }
            Self::Over(epsilon) | Self::Magnitudes(epsilon) => {
                numerator / if epsilon > 0.0 { z + epsilon } else { z }
            }
            // LRP-0: where the result vanishes there is nothing to share.
            Self::Signed(0.0) => numerator / z.where_or(z.is_nonzero(), f64::from(f32::MAX)),
            Self::Signed(epsilon) if z.is_non_negative() => numerator / (z + epsilon),
            Self::Signed(epsilon) if masks => numerator / (z + z.toward(epsilon)),
            Self::Signed(epsilon) => {
                let negative = (-z).greater(0.0);
                numerator / (z - epsilon).where_(negative, z + epsilon)
            }
            Self::OwnMagnitude(epsilon) => {
                numerator / (if z.is_non_negative() { z } else { z.abs() } + epsilon)
            }
            Self::Whole => numerator,
        }
    }
}
