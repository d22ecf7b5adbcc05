//! `LRN`: x / (κ + α/n · Σ x²)ᵝ, with the sum over n neighbouring channels.

use crate::{
    ir::{Call, Detached, Dim, Error, Expr, Kind, NodeRef, Operator, Type},
    onnx::schema::TensorProto,
};

pub(super) const OPERATOR: &dyn Operator = &Lrn;

struct Lrn;

impl Operator for Lrn {
    fn names(&self) -> &[&'static str] {
        &["LRN"]
    }

    fn attributes(&self) -> &[&'static str] {
        &["alpha", "beta", "bias", "size"]
    }

    fn infer(&self, node: NodeRef) -> Result<Vec<Type>, Error> {
        node.like_input()
    }

    fn kind(&self, _node: NodeRef) -> Result<Kind, Error> {
        Ok(Kind::Normalisation)
    }

    /// With `d = κ + α/n · B x²`, where `B` adds up neighbours:
    /// `d⁻ᵝ ⊙ s − 2αβ/n · x ⊙ Bᵀ (s ⊙ x ⊙ d⁻ᵝ⁻¹)`.
    fn adjoint<'e>(
        &self,
        call: &Call<'_, 'e>,
        _wrt: usize,
        s: Expr<'e>,
    ) -> Result<Expr<'e>, Error> {
        let (node, x) = (call.node, call.x(0)?);
        let Some(Dim::Known(channels)) = x.ty().dim(1) else {
            return Err(Error::Unknown { what: "the number of channels".into() });
        };
        let size = node.int("size", 1)?.max(1);
        let (alpha, beta) = (node.float("alpha", 1e-4)? / size as f64, node.float("beta", 0.75)?);
        // The window of channel c is c − ⌊(n−1)/2⌋ … c + ⌈(n−1)/2⌉.
        let (below, above) = ((size - 1) / 2, size / 2);
        let near = |row: i64, column: i64| column >= row - below && column <= row + above;
        let cells = (0..channels * channels).map(|i| near(i / channels, i % channels));
        let cells: Vec<_> = cells.map(|near| f64::from(u8::from(near))).collect();
        let side = channels as usize;
        let band = TensorProto::of_floats(s.ty().elem, &[side, side], &cells);
        let band = call.emitter().constant(band);
        let sums = |v: Expr<'e>, band: Expr<'e>| {
            band.matmul(v.reshape(&[0, channels, -1])).reshape_like(x)
        };
        let d = sums(x * x, band) * alpha + node.float("bias", 1.0)?;
        let power = |p: f64| d.pow(call.emitter().scalar(s.ty().elem, p));
        let g = s * power(-beta);
        if call.detached() != Detached::Nothing {
            return Ok(g);
        }
        Ok(g - x * sums(g * x / d, band.transpose(&[1, 0])) * (2.0 * alpha * beta))
    }
}
