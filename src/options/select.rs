//! The part of a tensor that counts, as numpy writes it: `:,4:,::2`.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ParseError;

/// The part of the explained tensor that counts: what is cut of its axes, in order. Axes that are not named
/// stay whole, and one position leaves an axis of size 1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Select {
    items: Vec<Item>,
}

/// What stands between commas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Item {
    /// `start:stop:step`, of which all may be left out.
    Cut(Cut),
    /// `...`: as many whole axes as there are.
    Rest,
}

/// What is cut of an axis, as in numpy: negative positions count from its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cut {
    /// Where it begins; at the first element where it is not said.
    pub start: Option<i64>,
    /// Before which it ends; behind the last element where it is not said.
    pub stop: Option<i64>,
    /// How far from one to the next, at least 1.
    pub step: i64,
}

impl Cut {
    const WHOLE: Self = Self { start: None, stop: None, step: 1 };
}

impl Select {
    /// What is cut of which axis of a tensor of a rank; `None` if it has fewer axes than are named.
    pub fn of_rank(&self, rank: usize) -> Option<Vec<(usize, Cut)>> {
        let named = self.items.iter().filter(|item| **item != Item::Rest).count();
        let rest = rank.checked_sub(named)?;
        let cuts = self.items.iter().flat_map(|item| match item {
            Item::Cut(cut) => vec![*cut],
            Item::Rest => vec![Cut::WHOLE; rest],
        });
        Some(cuts.enumerate().filter(|(_, cut)| *cut != Cut::WHOLE).collect())
    }
}

impl std::str::FromStr for Select {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let item = |text: &str| {
            if text == "..." {
                return Some(Item::Rest);
            }
            let parts: Vec<_> = text.split(':').map(str::trim).collect();
            let bound = |at: usize| match parts.get(at) {
                None | Some(&"") => Some(None),
                Some(text) => text.parse::<i64>().ok().map(Some),
            };
            Some(Item::Cut(match parts.len() {
                1 => {
                    let at = bound(0)??;
                    // Behind the last element there is nothing to name.
                    Cut { start: Some(at), stop: (at != -1).then_some(at.checked_add(1)?), step: 1 }
                }
                2 | 3 => {
                    let step = bound(2)?.unwrap_or(1);
                    (step >= 1).then_some(Cut { start: bound(0)?, stop: bound(1)?, step })?
                }
                _ => return None,
            }))
        };
        let items: Option<Vec<_>> = text.split(',').map(|text| item(text.trim())).collect();
        let items = items.filter(|items| items.iter().filter(|i| **i == Item::Rest).count() <= 1);
        items.map(|items| Self { items }).ok_or_else(|| {
            let what = "is no part of a tensor: write START:STOP:STEP or a position for each axis, with commas \
                        between and ... for axes that stay whole, as in ':,4:,:'";
            format!("'{text}' {what}").into()
        })
    }
}

impl fmt::Display for Select {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, item) in self.items.iter().enumerate() {
            if i > 0 {
                f.write_str(",")?;
            }
            let Item::Cut(Cut { start, stop, step }) = item else {
                f.write_str("...")?;
                continue;
            };
            let shown = |bound: &Option<i64>| bound.map_or(String::new(), |n| n.to_string());
            write!(f, "{}:{}", shown(start), shown(stop))?;
            if *step != 1 {
                write!(f, ":{step}")?;
            }
        }
        Ok(())
    }
}

impl From<Select> for String {
    fn from(select: Select) -> Self {
        select.to_string()
    }
}

impl TryFrom<String> for Select {
    type Error = ParseError;

    fn try_from(text: String) -> Result<Self, ParseError> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(axis: usize, start: Option<i64>, stop: Option<i64>, step: i64) -> (usize, Cut) {
        (axis, Cut { start, stop, step })
    }

    fn of_rank(text: &str, rank: usize) -> Option<Vec<(usize, Cut)>> {
        text.parse::<Select>().unwrap().of_rank(rank)
    }

    #[test]
    fn parts_are_read_as_numpy_reads_them() {
        assert_eq!(of_rank(":,4:,:", 3), Some(vec![cut(1, Some(4), None, 1)]));
        assert_eq!(of_rank("...,-1", 3), Some(vec![cut(2, Some(-1), None, 1)]));
        let two = vec![cut(0, Some(0), Some(1), 1), cut(1, Some(1), Some(9), 2)];
        assert_eq!(of_rank("0, 1:9:2", 3), Some(two));
        assert_eq!(of_rank("...", 0), Some(vec![]));
        assert_eq!(of_rank(":,:,3", 2), None);
        for wrong in ["", "a", "1:2:0", "::-1", "1:2:3:4", "...,...", "1,,2"] {
            assert!(wrong.parse::<Select>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        for text in [":,4:", "...,-3::2", "5", "-1,:7"] {
            let select: Select = text.parse().unwrap();
            assert_eq!(select.to_string().parse::<Select>().unwrap(), select, "{text}");
        }
    }
}
