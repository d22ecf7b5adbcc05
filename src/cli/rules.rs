//! `abslrp rules`

use std::fmt::Write;

use abslrp::rules::{self, PRESETS};
use serde_json::json;

use super::Report;

/// Lists the rules and composites, or shows what a rule does
#[derive(clap::Args)]
pub struct Args {
    /// A rule
    #[arg(value_parser = clap::builder::PossibleValuesParser::new(rules::ALL.iter().map(|r| r.name())))]
    name: Option<String>,
    /// Write the list as JSON
    #[arg(long)]
    json: bool,
}

impl Args {
    pub fn run(self) -> Report {
        let mut text = String::new();
        let shown = rules::ALL.iter().filter(|r| self.name.as_ref().is_none_or(|n| r.name() == n));
        let mut list = Vec::new();
        for rule in shown {
            let documentation = rules::documentation(*rule);
            if self.name.is_some() {
                text += &documentation;
            } else {
                // The first sentence, behind the name.
                let first =
                    documentation.split("\n\n").next().unwrap_or_default().replace('\n', " ");
                let first = first.split_once('—').map_or(first.trim(), |(_, what)| what.trim());
                let _ = writeln!(text, "{:<17} {first}", rule.name());
                let _ = writeln!(text, "    {}", rules::advice(*rule));
            }
            let mut options = Vec::new();
            for option in rule.options() {
                let default = option.default.map_or("needed".into(), |default| {
                    option
                        .words
                        .get(default as usize)
                        .map_or_else(|| default.to_string(), |w| (*w).into())
                });
                let indent = if self.name.is_some() { "" } else { "    " };
                let _ = writeln!(text, "{indent}  {} ({default}): {}", option.name, option.what);
                options
                    .push(json!({ "name": option.name, "default": default, "what": option.what }));
            }
            list.push(json!({
                "name": rule.name(),
                "suits": rules::advice(*rule),
                "options": options,
                "text": documentation,
            }));
        }
        if self.name.is_none() {
            text += "\n`abslrp evaluate` measures which one is faithful for your network, and `abslrp verify` whether a map can be \
                     trusted.\n\ncomposites:\n";
            for preset in PRESETS {
                let _ = writeln!(text, "{:<25} {}", preset.name, preset.what);
            }
        }
        Report { text, json: json!(list), as_json: self.json, holds: true }
    }
}
