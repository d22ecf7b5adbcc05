//! Unique names.

use std::collections::{BTreeMap, BTreeSet};

pub(super) struct Names {
    pub(super) taken: BTreeSet<String>,
    /// How often a name was wanted, so that many equal ones are not tried one by one.
    pub(super) wanted: BTreeMap<String, u64>,
}

impl Names {
    pub(super) fn unique(&mut self, wanted: &str) -> String {
        let count = self.wanted.entry(wanted.into()).or_default();
        loop {
            *count += 1;
            let numbered = format!("{wanted}_{count}");
            let name = if *count == 1 { wanted.to_string() } else { numbered };
            if self.taken.insert(name.clone()) {
                return name;
            }
        }
    }
}
