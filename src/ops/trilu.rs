//! `Trilu`: a triangle of each matrix, zeros elsewhere.

use super::movement::{MOVEMENT, Movement};
use crate::ir::{Call, Error, Expr, Operator};

pub(super) const OPERATOR: &dyn Operator =
    &Movement { name: "Trilu", attributes: &["upper"], inputs: 2, since: 14, adjoint, ..MOVEMENT };

#[expect(clippy::unnecessary_wraps, reason = "what a family of operators calls")]
fn adjoint<'e>(call: &Call<'_, 'e>, s: Expr<'e>) -> Result<Expr<'e>, Error> {
    let attributes = call.node.attributes().to_vec();
    let k = call.raw(1).ok();
    Ok(call.emitter().emit("Trilu", &[Some(s), k], attributes))
}
