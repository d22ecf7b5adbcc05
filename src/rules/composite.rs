//! Composites: different rules for different units.

use super::Choice;
use crate::{ParseError, ir::Kind};

/// Where a unit is: what the conditions of a [`Match`] test.
#[derive(Debug, Clone, Copy)]
pub struct Place<'u> {
    /// The operator of its product, or what it consists of.
    pub operator: &'u str,
    /// The name of its node.
    pub name: &'u str,
    /// Its kind.
    pub kind: Kind,
    /// For a layer with weights: how many come before it in order of execution, and how many there
    /// are, of all that relevance crosses.
    pub depth: Option<(usize, usize)>,
}

/// Which units a rule is for. What is not said does not matter; all that is has to hold.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Match {
    /// Operators, one of which it has to be.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub operators: Vec<String>,
    /// What the name of its node has to look like; `*` stands for anything, `?` for one character.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its kind, by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Whether it has to be the first layer with weights, of those operators.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub first: bool,
    /// Whether it has to be the last layer with weights.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub last: bool,
    /// How many layers with weights may come before it, from and up to, the last not included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub depth: Option<[usize; 2]>,
    /// The rule.
    pub rule: Choice,
}

impl Match {
    /// Whether a unit is one that the rule is for; `first` says whether it is the first layer with
    /// weights of the match's operators.
    pub fn holds(&self, place: &Place<'_>, first: bool) -> bool {
        let depth = place.depth.map(|(depth, _)| depth);
        let last = place.depth.is_some_and(|(depth, count)| depth + 1 == count);
        (self.operators.is_empty() || self.operators.iter().any(|op| op == place.operator))
            && self.name.as_ref().is_none_or(|name| glob(name, place.name))
            && self.kind.as_ref().is_none_or(|kind| kind == place.kind.name())
            && (!self.first || first)
            && (!self.last || last)
            && self.depth.is_none_or(|[from, to]| depth.is_some_and(|d| (from..to).contains(&d)))
    }

    /// The match in words, for tables and errors.
    pub fn text(&self) -> String {
        let mut parts = Vec::new();
        if self.first || self.last {
            parts.push(String::from(if self.first { "first" } else { "last" }));
        }
        parts.extend((!self.operators.is_empty()).then(|| self.operators.join("|")));
        parts.extend(self.kind.clone());
        parts.extend(self.name.as_ref().map(|name| format!("'{name}'")));
        parts.extend(self.depth.map(|[from, to]| format!("depth {from}..{to}")));
        if parts.is_empty() { "any".into() } else { parts.join(" ") }
    }
}

/// Whether a name looks like a pattern with `*` and `?`.
fn glob(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<_>, Vec<_>) = (pattern.chars().collect(), name.chars().collect());
    let (mut p, mut n, mut star) = (0, 0, None);
    while n < name.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(&c) if c == '?' || c == name[n] => (p, n) = (p + 1, n + 1),
            // Let the last star stand for one character more.
            _ => match star {
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    (p, n) = (at + 1, from + 1);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|&c| c == '*')
}

/// Rules in order of precedence, and one for the rest.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Composite {
    /// What it is called.
    #[serde(default)]
    pub name: String,
    /// Which rule is for which units: the first that holds.
    #[serde(rename = "match", default)]
    pub matches: Vec<Match>,
    /// The rule for the rest.
    #[serde(default)]
    pub rest: Choice,
    /// Whether a match may hit nothing, as those of a preset may.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lenient: bool,
}

/// Looks up an option of a preset by its name. The second argument is its default; an empty one says that
/// the option has to be given.
type Lookup<'o> = dyn Fn(&str, &str) -> Result<String, ParseError> + 'o;

/// A preset: its name, what it needs, and what it does.
pub struct Preset {
    /// Its name.
    pub name: &'static str,
    /// What it does.
    pub what: &'static str,
    build: fn(&Lookup<'_>) -> Result<Composite, ParseError>,
}

const CONVOLUTIONS: [&str; 2] = ["Conv", "ConvTranspose"];

fn convolutions(rule: &str) -> Result<Match, ParseError> {
    let operators = CONVOLUTIONS.map(String::from).to_vec();
    Ok(Match { operators, kind: Some("weighted".into()), rule: rule.parse()?, ..Match::default() })
}

fn first_layer(rule: &str) -> Result<Match, ParseError> {
    let kind = Some("weighted".into());
    Ok(Match { first: true, kind, rule: rule.parse()?, ..Match::default() })
}

fn composite(matches: Vec<Match>, rest: &str) -> Result<Composite, ParseError> {
    Ok(Composite { name: String::new(), matches, rest: rest.parse()?, lenient: true })
}

/// All presets, named and meant as in zennit and lxt.
pub const PRESETS: &[Preset] = &[
    Preset {
        name: "epsilon-plus",
        what: "zplus at convolutions, epsilon at fully connected layers (option epsilon)",
        build: |option| {
            let rest = format!("epsilon:epsilon={}", option("epsilon", "1e-6")?);
            composite(vec![convolutions("zplus")?], &rest)
        },
    },
    Preset {
        name: "epsilon-plus-flat",
        what: "as epsilon-plus, with flat at the first layer",
        build: |option| {
            let rest = format!("epsilon:epsilon={}", option("epsilon", "1e-6")?);
            composite(vec![first_layer("flat")?, convolutions("zplus")?], &rest)
        },
    },
    Preset {
        name: "epsilon-alpha2-beta1",
        what: "alpha-beta with α = 2, β = 1 at convolutions, epsilon at fully connected layers",
        build: |option| {
            let rest = format!("epsilon:epsilon={}", option("epsilon", "1e-6")?);
            composite(vec![convolutions("alpha-beta:alpha=2,beta=1")?], &rest)
        },
    },
    Preset {
        name: "epsilon-alpha2-beta1-flat",
        what: "as epsilon-alpha2-beta1, with flat at the first layer",
        build: |option| {
            let rest = format!("epsilon:epsilon={}", option("epsilon", "1e-6")?);
            let convolutions = convolutions("alpha-beta:alpha=2,beta=1")?;
            composite(vec![first_layer("flat")?, convolutions], &rest)
        },
    },
    Preset {
        name: "epsilon-gamma-box",
        what: "zbox at the first convolution (options low, high), gamma at the others (option gamma), \
               epsilon at fully connected layers (option epsilon)",
        build: |option| {
            let zbox = format!("zbox:low={},high={}", option("low", "")?, option("high", "")?);
            let first = Match { first: true, ..convolutions(&zbox)? };
            let gamma = convolutions(&format!("gamma:gamma={}", option("gamma", "0.25")?))?;
            let rest = format!("epsilon:epsilon={}", option("epsilon", "1e-6")?);
            composite(vec![first, gamma], &rest)
        },
    },
    Preset {
        name: "guided-backprop",
        what: "the gradient, of which ReLUs let the positive part through (Springenberg et al. 2015)",
        build: |_| {
            let operators = vec!["Relu".into()];
            let relu = Match { operators, rule: "guided".parse()?, ..Match::default() };
            composite(vec![relu], "gradient")
        },
    },
    Preset {
        name: "deconvnet",
        what: "the gradient, of which only the positive part passes ReLUs (Zeiler and Fergus 2014)",
        build: |_| {
            let operators = vec!["Relu".into()];
            let relu = Match { operators, rule: "deconvolution".parse()?, ..Match::default() };
            composite(vec![relu], "gradient")
        },
    },
    Preset {
        name: "excitation-backprop",
        what: "zplus at layers with weights, norm at sums and average pools, the gradient elsewhere",
        build: |_| {
            let of_kind = |kind: &str, rule: &str| -> Result<Match, ParseError> {
                Ok(Match { kind: Some(kind.into()), rule: rule.parse()?, ..Match::default() })
            };
            composite(vec![of_kind("weighted", "zplus")?, of_kind("sum", "norm")?], "gradient")
        },
    },
    Preset {
        name: "attnlrp",
        what: "attnlrp everywhere, for transformers (Achtibat et al. 2024)",
        build: |_| composite(Vec::new(), "attnlrp"),
    },
    Preset {
        name: "cp-lrp",
        what: "cp-lrp everywhere, for transformers (Ali et al. 2022)",
        build: |_| composite(Vec::new(), "cp-lrp"),
    },
];

impl std::str::FromStr for Composite {
    type Err = ParseError;

    /// Reads a preset: `NAME` or `NAME:key=value,key=value`.
    fn from_str(text: &str) -> Result<Self, ParseError> {
        let (name, options) = text.split_once(':').unwrap_or((text, ""));
        let Some(preset) = PRESETS.iter().find(|preset| preset.name == name) else {
            let known: Vec<_> = PRESETS.iter().map(|preset| preset.name).collect();
            return Err(
                format!("there is no composite '{name}'; known are {}", known.join(", ")).into()
            );
        };
        let given: Vec<_> = options.split(',').filter_map(|o| o.split_once('=')).collect();
        let used = std::cell::RefCell::new(Vec::new());
        let option = |key: &str, default: &str| {
            used.borrow_mut().push(key.to_string());
            match given.iter().find(|(known, _)| *known == key) {
                Some((_, value)) => Ok((*value).to_string()),
                None if default.is_empty() => {
                    Err(format!("the composite {name} needs {key}").into())
                }
                None => Ok(default.to_string()),
            }
        };
        let built = (preset.build)(&option)?;
        let used = used.into_inner();
        for part in options.split(',').filter(|part| !part.is_empty()) {
            let key = part.split('=').next().unwrap_or(part);
            if !used.iter().any(|known| known == key) {
                let known = if used.is_empty() { "none".into() } else { used.join(", ") };
                return Err(
                    format!("the composite {name} has no option '{key}'; it has {known}").into()
                );
            }
        }
        Ok(Self { name: text.into(), ..built })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs() {
        for (pattern, name, holds) in [
            ("*", "", true),
            ("/features/*", "/features/0/Conv", true),
            ("*/Conv", "/features/0/Conv", true),
            ("*0*v", "/features/0/Conv", true),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*a", "ab", false),
        ] {
            assert_eq!(glob(pattern, name), holds, "{pattern} {name}");
        }
    }

    #[test]
    fn presets_say_what_they_need() {
        let error = "epsilon-gamma-box:low=0".parse::<Composite>().unwrap_err();
        assert_eq!(error.to_string(), "the composite epsilon-gamma-box needs high");
        let error = "epsilon-plus:gamma=1".parse::<Composite>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "the composite epsilon-plus has no option 'gamma'; it has epsilon"
        );
    }
}
