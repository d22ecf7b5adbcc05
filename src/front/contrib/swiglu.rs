//! `SwiGLU`: a value that is weighed by the `Swish` of another, a · sigmoid(α a) · b (Shazeer 2020).

use super::Contrib;

pub(super) const CONTRIB: Contrib = Contrib {
    names: &[("", "SwiGLU")],
    since: Some(28),
    body: |call| {
        let (a, b) = (call.x(0)?, call.x(1)?);
        let alpha = call.float("alpha")?.unwrap_or(1.0);
        Ok(vec![Some(a * (a * alpha).sigmoid() * b)])
    },
};
