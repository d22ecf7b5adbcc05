//! Inputs that are taken for constants.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ParseError;

/// An input that is taken for a constant while a model is analysed, and what it holds: a sample rate that chooses a branch.
/// The explained model keeps the input, and its maps are right where it is fed that.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Setting {
    /// The input.
    pub name: String,
    /// Its elements, or one number that all of them are. A truth is 0 or 1.
    pub values: Vec<f64>,
}

impl std::str::FromStr for Setting {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let number = |text: &str| match text.trim() {
            "true" => Some(1.0),
            "false" => Some(0.0),
            text => text.parse().ok(),
        };
        let setting = text.rsplit_once('=').and_then(|(name, values)| {
            let values: Option<Vec<f64>> = values.split(',').map(number).collect();
            Some(Self { name: name.into(), values: values? })
        });
        let what = "is no setting: write NAME=VALUE, with a number, true or false, or several with commas between";
        setting.ok_or_else(|| format!("'{text}' {what}").into())
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let values: Vec<_> = self.values.iter().map(ToString::to_string).collect();
        write!(f, "{}={}", self.name, values.join(","))
    }
}

impl From<Setting> for String {
    fn from(setting: Setting) -> Self {
        setting.to_string()
    }
}

impl TryFrom<String> for Setting {
    type Error = ParseError;

    fn try_from(text: String) -> Result<Self, ParseError> {
        text.parse()
    }
}

impl Setting {
    /// The shape of an input of which so much is known, if it goes with the elements there are.
    pub fn shape(&self, known: &[Option<usize>]) -> Option<Vec<usize>> {
        let shape: Vec<_> = match known {
            // The only size that is open is the number of elements.
            [None] => vec![self.values.len()],
            sizes => sizes.iter().copied().collect::<Option<_>>()?,
        };
        let count = shape.iter().try_fold(1usize, |n, &size| n.checked_mul(size))?;
        (self.values.len() == 1 || self.values.len() == count).then_some(shape)
    }

    /// That many elements.
    pub fn elements(&self, count: usize) -> Vec<f64> {
        self.values.iter().copied().cycle().take(count).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read() {
        let setting: Setting = "a=b=16000".parse().unwrap();
        assert_eq!((setting.name.as_str(), setting.values.as_slice()), ("a=b", &[16000.0][..]));
        assert_eq!(setting.to_string().parse::<Setting>().unwrap(), setting);
        assert_eq!("x=true, -1.5".parse::<Setting>().unwrap().values, [1.0, -1.5]);
        for wrong in ["x", "x=", "x=a", "x=1,,2"] {
            assert!(wrong.parse::<Setting>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn one_number_fills_any_shape() {
        let setting = |values: &[f64]| Setting { name: "x".into(), values: values.to_vec() };
        assert_eq!(setting(&[7.0]).shape(&[]), Some(vec![]));
        assert_eq!(setting(&[7.0]).shape(&[Some(2), Some(3)]), Some(vec![2, 3]));
        assert_eq!(setting(&[7.0, 8.0]).shape(&[None]), Some(vec![2]));
        assert_eq!(setting(&[7.0, 8.0]).shape(&[Some(3)]), None);
        assert_eq!(setting(&[7.0]).shape(&[None, Some(2)]), None);
        assert_eq!(setting(&[7.0, 8.0]).elements(2), [7.0, 8.0]);
    }
}
