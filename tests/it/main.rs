//! The integration tests: a trial for each fixture and property, side by side in one process.
//!
//! Their names are paths, and whatever is part of a name chooses trials:
//!
//! ```sh
//! cargo test --test it                        # all
//! cargo test --test it forms::adjoint         # a property of all forms
//! cargo test --test it conv_wide              # all that is known of some forms
//! cargo test --test it -- --list
//! INSTA_UPDATE=always cargo test --test it snapshots
//! ```
//!
//! A new suite is a module with a function `trials`, named in `main`.

#![allow(clippy::unwrap_used)]

mod common;

mod claims;
mod cli;
mod damage;
mod explain;
mod fixtures;
mod forms;
mod invariance;
mod manual;
mod networks;
mod passes;
mod quantised;
mod reference;
mod refusals;
mod relevance;
mod rulebook;
mod rules_by_hand;
mod schema;
mod snapshots;
mod verification;
mod wire;

use std::process::ExitCode;

use libtest_mimic::Arguments;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    common::trial::keep_panics();
    // The longest first, so that no thread is left with them alone.
    let suites = [
        forms::trials,
        invariance::trials,
        rulebook::trials,
        networks::trials,
        quantised::trials,
        reference::trials,
        relevance::trials,
        rules_by_hand::trials,
        wire::trials,
        claims::trials,
        cli::trials,
        explain::trials,
        verification::trials,
        damage::trials,
        fixtures::trials,
        refusals::trials,
        passes::trials,
        snapshots::trials,
        schema::trials,
        manual::trials,
    ];
    let trials = suites.into_iter().flat_map(|suite| suite()).collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}
