//! What classes are called.

use std::{collections::BTreeMap, path::Path};

use abslrp::onnx::{Model, file};
use py_literal::Value as PyValue;

use super::Failure;

/// The names of classes, as far as they have some.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Labels {
    names: Vec<String>,
}

/// The metadata that exporters put names into: lists, or mappings from the number of a class.
const METADATA: [&str; 4] = ["labels", "id2label", "names", "classes"];

impl Labels {
    /// Reads a file with a name on each line, or JSON: a list, a mapping from numbers, or one with that at `id2label`,
    /// as the config.json of Hugging Face is.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        /// Longer than any list of classes.
        const LONGEST: u64 = 1 << 26;
        let refuse = |what: String| Failure::Image { path: path.into(), what };
        let bytes = file::read(path, LONGEST).map_err(|e| refuse(e.to_string()))?;
        let text = String::from_utf8(bytes).map_err(|e| refuse(e.to_string()))?;
        if path.extension().is_none_or(|e| e != "json") {
            return Ok(Self { names: text.lines().map(|line| line.trim().into()).collect() });
        }
        let value: serde_json::Value =
            serde_json::from_str(&text).map_err(|e| refuse(e.to_string()))?;
        let value = value.get("id2label").unwrap_or(&value);
        let known = Self::of_json(value);
        known.ok_or_else(|| refuse("no list of names, and no names by number".into()))
    }

    /// The names in a model's metadata.
    pub fn of(model: &Model) -> Self {
        Self::of_metadata(model, &METADATA)
    }

    /// The names at the first of these keys of a model's metadata that has some.
    pub fn of_metadata(model: &Model, keys: &[&str]) -> Self {
        let mut texts = keys.iter().filter_map(|key| model.metadata(key));
        texts.find_map(Self::of_text).unwrap_or_default()
    }

    fn of_json(value: &serde_json::Value) -> Option<Self> {
        let text = |value: &serde_json::Value| value.as_str().map(String::from);
        let names = match value {
            serde_json::Value::Array(list) => list.iter().map(text).collect::<Option<_>>()?,
            serde_json::Value::Object(map) => {
                let pairs = map.iter().map(|(key, value)| Some((key.parse().ok()?, text(value)?)));
                by_number(&pairs.collect::<Option<_>>()?)?
            }
            _ => return None,
        };
        Some(Self { names })
    }

    /// Names as Python or JSON writes them.
    fn of_text(text: &str) -> Option<Self> {
        let names = match text.parse().ok()? {
            PyValue::List(list) | PyValue::Tuple(list) => {
                list.iter().map(|value| Some(value.as_string()?.clone())).collect::<Option<_>>()?
            }
            PyValue::Dict(pairs) => {
                let pair = |(key, value): &(PyValue, PyValue)| {
                    Some((
                        key.to_string().trim_matches(['\'', '"']).parse().ok()?,
                        value.as_string()?.clone(),
                    ))
                };
                by_number(&pairs.iter().map(pair).collect::<Option<_>>()?)?
            }
            _ => return None,
        };
        Some(Self { names })
    }

    /// What a class is called.
    pub fn name(&self, class: usize) -> String {
        let name = self.names.get(class).filter(|name| !name.is_empty());
        name.cloned().unwrap_or_else(|| format!("class {class}"))
    }

    /// The class that is called so, or that has the number.
    pub fn class(&self, text: &str) -> Option<i64> {
        let place = self.names.iter().position(|name| name == text);
        place.map(|place| place as i64).or_else(|| text.parse().ok())
    }

    /// All of them.
    pub fn into_names(self) -> Vec<String> {
        self.names
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.names.len()
    }
}

/// Names in the order of their numbers, with what is left out empty.
fn by_number(names: &BTreeMap<usize, String>) -> Option<Vec<String>> {
    /// More than any model has.
    const MOST: usize = 1 << 24;
    let count = names.last_key_value().map_or(0, |(last, _)| *last) + 1;
    (count <= MOST)
        .then(|| (0..count).map(|i| names.get(&i).cloned().unwrap_or_default()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_python_and_json_write_them() {
        let names = |names: &[&str]| {
            Some(Labels { names: names.iter().map(|name| (*name).into()).collect() })
        };
        assert_eq!(Labels::of_text("{0: 'cat', 1: 'dog'}"), names(&["cat", "dog"]));
        assert_eq!(Labels::of_text(r#"{"1": "dog", "0": "cat"}"#), names(&["cat", "dog"]));
        assert_eq!(Labels::of_text(r#"["cat", "dog"]"#), names(&["cat", "dog"]));
        assert_eq!(Labels::of_text("cat, dog"), None);
        assert_eq!(Labels::of_text("{999999999999: 'cat'}"), None);
        let sparse = names(&["", "dog"]).unwrap();
        assert_eq!(
            (sparse.name(0), sparse.name(1), sparse.name(2)),
            ("class 0".into(), "dog".into(), "class 2".into())
        );
        assert_eq!(
            (sparse.class("dog"), sparse.class("0"), sparse.class("x")),
            (Some(1), Some(0), None)
        );
    }
}
