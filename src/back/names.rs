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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_taken_are_numbered() {
        let taken = ["y", "y_2", "y_3_2"].map(String::from).into();
        let mut names = Names { taken, wanted: BTreeMap::new() };
        let wanted = ["x", "y", "x", "y", "y_3", "y_3", "x_2", ""];
        let given = wanted.map(|name| names.unique(name));
        assert_eq!(given, ["x", "y_3", "x_2", "y_4", "y_3_3", "y_3_4", "x_2_2", ""]);
    }
}
