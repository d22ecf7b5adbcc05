//! `ReverseSequence`, its own adjoint.

use super::movement::{MOVEMENT, Movement};
use crate::ir::{Call, Error, Expr, Operator};

pub(super) const OPERATOR: &dyn Operator = &Movement {
    name: "ReverseSequence",
    attributes: &["batch_axis", "time_axis"],
    inputs: 2,
    since: 10,
    adjoint,
    ..MOVEMENT
};

fn adjoint<'e>(call: &Call<'_, 'e>, s: Expr<'e>) -> Result<Expr<'e>, Error> {
    let attributes = call.node.attributes().to_vec();
    Ok(call.emitter().emit("ReverseSequence", &[Some(s), Some(call.raw(1)?)], attributes))
}
