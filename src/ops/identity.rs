//! `Identity`.

use super::movement::{MOVEMENT, Movement};
use crate::ir::Operator;

pub(super) const OPERATOR: &dyn Operator =
    &Movement { name: "Identity", eval: |of| of.x(0).cloned(), ..MOVEMENT };
