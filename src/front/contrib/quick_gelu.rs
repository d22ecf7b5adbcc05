//! `QuickGelu`: x · sigmoid(α x).

use super::Contrib;

pub(super) const CONTRIB: Contrib = Contrib {
    names: &[("com.microsoft", "QuickGelu")],
    since: None,
    body: |call| {
        let x = call.x(0)?;
        let alpha = call.float("alpha")?.unwrap_or(1.702);
        Ok(vec![Some(x * (x * alpha).sigmoid())])
    },
};
