//! The pages of the manual that are made of the code: what they say is what the program and the library say.

use std::{fmt::Write, path::Path, process::Command};

use abslrp::rules::{ALL, PRESETS};
use libtest_mimic::Trial;

use crate::common::trials;

pub fn trials() -> Vec<Trial> {
    let mut trials = trials![the_command_line_is_current, the_configuration_is_current];
    // What writes the pages is there to be asked for.
    trials.extend(trials![regenerate].into_iter().map(|trial| trial.with_ignored_flag(true)));
    trials
}

const COMMAND_LINE: &str = "docs/reference/command-line.md";
const CONFIGURATION: &str = "docs/reference/configuration.md";
const HOW: &str = "`cargo test --test it manual -- --ignored` writes it";

/// What the program says of itself.
fn help(arguments: &[&str]) -> String {
    let program = Command::new(env!("CARGO_BIN_EXE_abslrp")).args(arguments).output();
    let output = program.expect("the program runs");
    assert!(output.status.success(), "{arguments:?}");
    let text = String::from_utf8(output.stdout).expect("text");
    text.lines().map(|line| line.trim_end().to_string() + "\n").collect()
}

/// The help of all commands.
fn command_line() -> String {
    let overview = help(&["--help"]);
    let mut page = format!(
        "# Command line\n\nThis page is what `abslrp --help` and the help of each command print, and a test says that it is. \
         The exit code is 0 when the work is done and every check holds, 1 when not, and 2 for wrong usage.\n\n\
         ```text\n{overview}```\n"
    );
    let commands = overview.split("Commands:\n").nth(1).expect("there are commands");
    let commands = commands.lines().take_while(|line| !line.is_empty());
    for command in commands.filter_map(|line| line.split_whitespace().next()) {
        if command != "help" {
            let text = help(&[command, "--help"]);
            let _ = write!(page, "\n## abslrp {command}\n\n```text\n{text}```\n");
        }
    }
    page
}

/// The fields of a struct, with their types and what is said of them in the source.
fn fields(source: &str, name: &str) -> Vec<(String, String, String)> {
    let start = format!("pub struct {name} {{\n");
    let body = source.split(&start).nth(1).and_then(|rest| rest.split("\n}").next());
    let (mut fields, mut said, mut renamed) = (Vec::new(), String::new(), None);
    for line in body.expect("the struct is there").lines().map(str::trim) {
        if let Some(text) = line.strip_prefix("///") {
            said = format!("{said} {}", text.trim());
        } else if let Some(rest) = line.split("rename = \"").nth(1) {
            renamed = rest.split('"').next().map(String::from);
        } else if let Some((field, ty)) =
            line.strip_prefix("pub ").and_then(|line| line.trim_end_matches(',').split_once(": "))
        {
            let field = renamed.take().unwrap_or(field.into());
            fields.push((field, ty.to_string(), std::mem::take(&mut said).trim().to_string()));
        }
    }
    fields
}

/// What a type is in TOML.
fn in_toml(ty: &str) -> &str {
    match ty {
        "Vec<String>" => "list of text",
        "String" | "Option<String>" => "text",
        "bool" => "true or false",
        "Option<[usize; 2]>" => "two numbers",
        "Choice" => "a rule",
        "Vec<Match>" => "tables, `[[match]]`",
        other => panic!("{other} has no name in TOML"),
    }
}

/// What says how a model is explained, beside the command line.
fn configuration() -> String {
    let source = include_str!("../../src/rules/composite.rs");
    let mut page = String::from(
        "# Configuration\n\nThis page is made of the source, and a test says that it is.\n\n\
         ## Rules for different layers\n\n`--config FILE` reads TOML, and `composite=…` in Python takes the same as a mapping; \
         [an example](../rules.md#rules-for-different-layers). A file has\n\n| key | type | meaning |\n|---|---|---|\n",
    );
    let row = |page: &mut String, (field, ty, said): &(String, String, String)| {
        let _ = writeln!(page, "| `{field}` | {} | {said} |", in_toml(ty));
    };
    for field in fields(source, "Composite") {
        // A file is called what it is called.
        if field.0 != "name" {
            row(&mut page, &field);
        }
    }
    page += "\nand each match\n\n| key | type | meaning |\n|---|---|---|\n";
    for field in fields(source, "Match") {
        row(&mut page, &field);
    }
    page += "\n## Options of rules\n\n`NAME:key=value,key=value`, with `a/b/c` for a list, one number per channel.\n\n\
             | rule | option | default | meaning |\n|---|---|---|---|\n";
    for rule in ALL {
        for option in rule.options() {
            let default = option.default.map_or("needed".into(), |default| {
                let word = option.words.get(default as usize);
                word.map_or_else(|| default.to_string(), |word| (*word).into())
            });
            let words = if option.words.is_empty() {
                String::new()
            } else {
                format!(" ({})", option.words.join(", "))
            };
            let (rule, name, what) = (rule.name(), option.name, option.what);
            let _ = writeln!(page, "| `{rule}` | `{name}` | {default} | {what}{words} |");
        }
    }
    page +=
        "\n## Composites\n\n`--composite NAME:key=value`\n\n| composite | meaning |\n|---|---|\n";
    for preset in PRESETS {
        let _ = writeln!(page, "| `{}` | {} |", preset.name, preset.what);
    }
    page += "\n## Environment\n\n| variable | meaning |\n|---|---|\n";
    for (name, what) in ENVIRONMENT {
        let _ = writeln!(page, "| `{name}` | {what} |");
    }
    page
}

/// What is read of the environment.
const ENVIRONMENT: [(&str, &str); 3] = [
    ("ORT_DYLIB_PATH", "the library of ONNX Runtime, an absolute path; before any that is found"),
    (
        "ABSLRP_NO_FETCH",
        "set to anything: ONNX Runtime is not fetched with pip where there is none",
    ),
    (
        "ABSLRP_CACHE",
        "the folder that it is fetched to, an absolute path; by default `abslrp` in the user's cache",
    ),
];

fn is_current(page: &str, expected: &str) {
    let found = std::fs::read_to_string(page).unwrap_or_default();
    assert!(found == expected, "{page} is not what the code says: {HOW}");
}

fn the_command_line_is_current() {
    is_current(COMMAND_LINE, &command_line());
}

fn the_configuration_is_current() {
    let source = include_str!("../../src/verify/runtime.rs");
    let own = source.split("\"ABSLRP_").skip(1).filter_map(|rest| rest.split('"').next());
    for name in own.map(|rest| format!("ABSLRP_{rest}")) {
        assert!(ENVIRONMENT.iter().any(|(known, _)| *known == name), "{name} is not documented");
    }
    for (name, _) in ENVIRONMENT {
        assert!(source.contains(&format!("\"{name}\"")), "{name} is not read");
    }
    is_current(CONFIGURATION, &configuration());
}

/// Writes the pages.
fn regenerate() {
    std::fs::create_dir_all(Path::new(COMMAND_LINE).parent().expect("a folder")).expect("a folder");
    std::fs::write(COMMAND_LINE, command_line()).expect("write the page");
    std::fs::write(CONFIGURATION, configuration()).expect("write the page");
}
