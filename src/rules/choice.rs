//! A rule with its options.

use std::collections::BTreeMap;

use super::{ALL, Part, Rule, Treatment};
use crate::{ParseError, ir::Kind};

/// An option of a rule.
#[derive(Debug, Clone, Copy)]
pub struct Opt {
    /// Its name.
    pub name: &'static str,
    /// What it is unless it is given; it has to be given where there is nothing.
    pub default: Option<f64>,
    /// Whether it may be a list, one number per channel, and negative.
    pub list: bool,
    /// The words that stand for 0, 1, …; numbers where there are none.
    pub words: &'static [&'static str],
    /// What it means.
    pub what: &'static str,
}

impl Opt {
    /// A number that is not negative.
    pub const fn number(name: &'static str, default: f64, what: &'static str) -> Self {
        Self { name, default: Some(default), list: false, words: &[], what }
    }
}

/// The options of a rule: those given, and the defaults of the others.
#[derive(Clone, Copy)]
pub struct RuleOptions<'c> {
    rule: &'static dyn Rule,
    given: &'c BTreeMap<String, Vec<f64>>,
}

impl RuleOptions<'_> {
    /// An option that is a number.
    pub fn number(&self, name: &str) -> f64 {
        self.list(name).first().copied().unwrap_or_default()
    }

    /// An option that may be a list.
    pub fn list(&self, name: &str) -> Vec<f64> {
        let default = || self.rule.options().iter().find(|o| o.name == name)?.default;
        self.given.get(name).cloned().unwrap_or_else(|| default().into_iter().collect())
    }
}

/// A rule with its options: one that is known by name, or the caller's own.
#[derive(Clone, serde::Serialize, serde::Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Choice {
    rule: &'static dyn Rule,
    options: BTreeMap<String, Vec<f64>>,
}

impl Default for Choice {
    fn default() -> Self {
        Self { rule: ALL[0], options: BTreeMap::new() }
    }
}

impl Choice {
    /// A rule, with its options as `key=value,key=value`; a value may be a list, `a/b/c`. This is the
    /// way to a rule of one's own: by name only those of this crate are found.
    pub fn of(rule: &'static dyn Rule, options: &str) -> Result<Self, ParseError> {
        let name = rule.name();
        let mut chosen = BTreeMap::new();
        for option in options.split(',').filter(|option| !option.is_empty()) {
            let (key, value) = option.split_once('=').unwrap_or((option, ""));
            let Some(option) = rule.options().iter().find(|known| known.name == key) else {
                let known: Vec<_> = rule.options().iter().map(|known| known.name).collect();
                let known = if known.is_empty() { "none".into() } else { known.join(", ") };
                let what = format!("the rule {name} has no option '{key}'; it has {known}");
                return Err(what.into());
            };
            chosen.insert(key.to_string(), read(option, value)?);
        }
        let needed = |o: &&Opt| o.default.is_none() && !chosen.contains_key(o.name);
        if let Some(missing) = rule.options().iter().find(needed) {
            return Err(format!("the rule {name} needs {}: {}", missing.name, missing.what).into());
        }
        let choice = Self { rule, options: chosen };
        match rule.objection(&choice.options()) {
            Some(objection) => Err(format!("the rule {name}: {objection}").into()),
            None => Ok(choice),
        }
    }

    /// The rule.
    pub fn rule(&self) -> &'static dyn Rule {
        self.rule
    }

    /// A rule that reaches everything that relevance can.
    pub(crate) fn everywhere() -> Self {
        Self { rule: super::gradient::RULE, options: BTreeMap::new() }
    }

    /// The rule's options.
    pub fn options(&self) -> RuleOptions<'_> {
        RuleOptions { rule: self.rule, given: &self.options }
    }

    /// What the rule does at a kind of unit that plays a part.
    pub fn treatment(&self, kind: Kind, part: Part) -> Treatment {
        self.rule.treatment_of(kind, part, &self.options())
    }
}

impl PartialEq for Choice {
    fn eq(&self, other: &Self) -> bool {
        self.rule.name() == other.rule.name() && self.options == other.options
    }
}

impl std::fmt::Debug for Choice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}

impl std::fmt::Display for Choice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.rule.name())?;
        for (i, (key, values)) in self.options.iter().enumerate() {
            let words =
                self.rule.options().iter().find(|o| o.name == key).map_or(&[][..], |o| o.words);
            let value =
                |v: &f64| words.get(*v as usize).map_or_else(|| format!("{v:e}"), |w| (*w).into());
            let values: Vec<_> = values.iter().map(value).collect();
            write!(f, "{}{key}={}", if i == 0 { ':' } else { ',' }, values.join("/"))?;
        }
        Ok(())
    }
}

impl From<Choice> for String {
    fn from(choice: Choice) -> Self {
        choice.to_string()
    }
}

impl TryFrom<String> for Choice {
    type Error = ParseError;
    fn try_from(text: String) -> Result<Self, ParseError> {
        text.parse()
    }
}

impl std::str::FromStr for Choice {
    type Err = ParseError;

    /// Reads `NAME` or `NAME:key=value,key=value`; see [`Choice::of`].
    fn from_str(text: &str) -> Result<Self, ParseError> {
        let (name, options) = text.split_once(':').unwrap_or((text, ""));
        match ALL.iter().find(|rule| rule.name() == name) {
            Some(rule) => Self::of(*rule, options),
            None => {
                let known: Vec<_> = ALL.iter().map(|rule| rule.name()).collect();
                Err(format!("there is no rule '{name}'; known are {}", known.join(", ")).into())
            }
        }
    }
}

fn read(option: &Opt, text: &str) -> Result<Vec<f64>, ParseError> {
    let bad = || ParseError::from(format!("'{text}' is no value for the option {}", option.name));
    if !option.words.is_empty() {
        let word = option.words.iter().position(|word| *word == text);
        let words = option.words.join(", ");
        let known = || ParseError::from(format!("{}; it is one of {words}", bad()));
        return Ok(vec![word.ok_or_else(known)? as f64]);
    }
    let number = |text: &str| text.parse::<f64>().ok().filter(|v| v.is_finite());
    let numbers: Vec<_> = text.split('/').map(number).collect::<Option<_>>().ok_or_else(bad)?;
    let fits = option.list || numbers.len() == 1 && numbers[0] >= 0.0;
    if fits { Ok(numbers) } else { Err(bad()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_are_read_and_written() {
        for (text, written) in [
            ("epsilon", "epsilon"),
            ("epsilon:", "epsilon"),
            ("abslrp", "abslrp"),
            ("epsilon:epsilon=0.25", "epsilon:epsilon=2.5e-1"),
            ("epsilon:epsilon=0", "epsilon:epsilon=0e0"),
            // The last one of two counts, and the order is that of names.
            ("epsilon:epsilon=1,epsilon=2", "epsilon:epsilon=2e0"),
            ("gamma:gamma=1,epsilon=1e-3", "gamma:epsilon=1e-3,gamma=1e0"),
            ("abslrp-notebook:norms=twin", "abslrp-notebook:norms=twin"),
            ("zbox:low=-2/-1.5,high=2", "zbox:high=2e0,low=-2e0/-1.5e0"),
        ] {
            let choice: Choice = text.parse().unwrap();
            assert_eq!(choice.to_string(), written);
            assert_eq!(written.parse(), Ok(choice));
        }
    }

    #[test]
    fn options_that_are_not_given_have_their_defaults() {
        let number = |text: &str, option: &str| {
            text.parse::<Choice>().unwrap().options().number(option).to_string()
        };
        assert_eq!(number("gamma", "gamma"), "0.25");
        assert_eq!(number("gamma:epsilon=1", "gamma"), "0.25");
        assert_eq!(number("gamma:gamma=1", "gamma"), "1");
        assert_eq!(number("abslrp-notebook:norms=twin", "norms"), "1");
        let lists: Choice = "zbox:low=-2/-1.5,high=2".parse().unwrap();
        assert_eq!(lists.options().list("low"), [-2.0, -1.5]);
    }

    #[test]
    fn what_is_no_choice_is_refused_with_what_there_is() {
        for (text, reason) in [
            ("", "there is no rule ''; known are abslrp, "),
            ("Epsilon", "there is no rule 'Epsilon'"),
            ("flat:epsilon=1", "the rule flat has no option 'epsilon'; it has none"),
            ("gamma:alpha=1", "the rule gamma has no option 'alpha'; it has gamma, epsilon"),
            ("epsilon:epsilon", "'' is no value for the option epsilon"),
            ("epsilon:epsilon=-1", "'-1' is no value for the option epsilon"),
            ("epsilon:epsilon=1/2", "'1/2' is no value for the option epsilon"),
            ("epsilon:epsilon=nan", "'nan' is no value for the option epsilon"),
            ("epsilon:epsilon=inf", "'inf' is no value for the option epsilon"),
            (
                "abslrp-notebook:norms=1",
                "'1' is no value for the option norms; it is one of pass, twin",
            ),
            ("zbox:low=1", "the rule zbox needs high"),
            ("zbox:low=1/,high=2", "'1/' is no value for the option low"),
            ("alpha-beta:alpha=3", "the rule alpha-beta: "),
        ] {
            let error = text.parse::<Choice>().unwrap_err();
            assert!(error.to_string().starts_with(reason), "'{text}': {error}");
        }
    }
}
