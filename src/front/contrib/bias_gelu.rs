//! `BiasGelu`: the `Gelu` of a sum.

use super::{Contrib, gelu::gelu};

pub(super) const CONTRIB: Contrib = Contrib {
    names: &[("com.microsoft", "BiasGelu")],
    since: None,
    body: |call| Ok(vec![Some(gelu(call.x(0)? + call.x(1)?))]),
};
