//! `abslrp completions` and `abslrp man`

use clap::CommandFactory;
use serde_json::Value;

use super::{Cli, Report};

/// Prints what completes the command line in a shell, for the file that the shell reads it from
#[derive(clap::Args)]
pub struct Args {
    /// The shell
    shell: clap_complete::Shell,
}

/// Prints the manual pages, of the program and of each command: `abslrp man | man -l -`
#[derive(clap::Args)]
pub struct Man {}

impl Args {
    pub fn run(self) -> Report {
        let mut text = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "abslrp", &mut text);
        printed(&text)
    }
}

impl Man {
    pub fn run() -> Report {
        let mut program = Cli::command();
        program.build();
        let mut text = Vec::new();
        let commands = program.get_subcommands().filter(|command| command.get_name() != "help");
        for command in std::iter::once(&program).chain(commands) {
            // Nothing can go wrong where memory is written to.
            let _ = clap_mangen::Man::new(command.clone()).render(&mut text);
        }
        printed(&text)
    }
}

fn printed(text: &[u8]) -> Report {
    let text = String::from_utf8_lossy(text).into_owned();
    Report { text, json: Value::Null, as_json: false, holds: true }
}
