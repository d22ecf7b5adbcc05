//! `LRN`: x / (κ + α/n · Σ x²)ᵝ, with the sum over n neighbouring channels.

use crate::{
    ir::{Call, Detached, Error, Expr, Kind, NodeRef, Operator, Type},
    onnx::attribute::{int, ints},
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
        let size = node.int("size", 1)?.max(1);
        let (alpha, beta) = (node.float("alpha", 1e-4)? / size as f64, node.float("beta", 0.75)?);
        // The window of channel c is c − ⌊(n−1)/2⌋ … c + ⌈(n−1)/2⌉, and the other way round in the adjoint.
        let (below, above) = ((size - 1) / 2, size / 2);
        let sums = |v: Expr<'e>, before: i64, after: i64| {
            let pool = vec![
                int("count_include_pad", 1),
                ints("kernel_shape", &[size, 1]),
                ints("pads", &[before, 0, after, 0]),
            ];
            // Channels as the height of a picture.
            let picture = v.reshape(&[0, 0, -1]).unsqueeze(&[1]);
            let mean = call.emitter().emit("AveragePool", &[Some(picture)], pool);
            mean.reshape_like(x) * size as f64
        };
        let d = sums(x * x, below, above) * alpha + node.float("bias", 1.0)?;
        let power = |p: f64| d.pow(call.emitter().scalar(s.ty().elem, p));
        let g = s * power(-beta);
        if call.detached() != Detached::Nothing {
            return Ok(g);
        }
        Ok(g - x * sums(g * x / d, above, below) * (2.0 * alpha * beta))
    }
}
