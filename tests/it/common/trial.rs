//! How trials are made.

use std::{
    backtrace::{Backtrace, BacktraceStatus},
    cell::RefCell,
    fmt::Display,
    panic::{self, AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
};

use libtest_mimic::Trial;

use super::stem;

thread_local! {
    /// What the last panic said, on a thread that runs a trial.
    static LAST_PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Keeps what a panic in a trial says, and where, for the list of failures at the end: nothing else
/// would tell which of the trials that run side by side it is from. Panics that are caught within a
/// trial are thus not shown at all.
pub fn keep_panics() {
    let default = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        LAST_PANIC.with_borrow_mut(|said| match said {
            Some(said) => {
                let trace = Backtrace::capture();
                let captured = trace.status() == BacktraceStatus::Captured;
                *said = if captured { format!("{info}\n{trace}") } else { info.to_string() };
            }
            None => default(info),
        });
    }));
}

/// What the last panic in this trial said, which was caught.
pub fn last_panic() -> String {
    LAST_PANIC.with_borrow_mut(|said| said.as_mut().map(std::mem::take)).unwrap_or_default()
}

/// A trial that fails where `check` panics.
pub fn trial(name: impl Into<String>, check: impl FnOnce() + Send + 'static) -> Trial {
    Trial::test(name, move || {
        LAST_PANIC.set(Some(String::new()));
        let result = catch_unwind(AssertUnwindSafe(check));
        let said = LAST_PANIC.take().unwrap_or_default();
        result.map_err(|_| said.into())
    })
}

/// Trials of a property: one for each case, which names it.
pub fn each<C: Display + Send + 'static>(
    property: &str,
    cases: impl IntoIterator<Item = C>,
    check: fn(C),
) -> Vec<Trial> {
    let of = |case: C| trial(format!("{property}::{case}"), move || check(case));
    cases.into_iter().map(of).collect()
}

/// Trials of a property: one for each model, which names it.
pub fn each_model(property: &str, models: Vec<PathBuf>, check: fn(&Path)) -> Vec<Trial> {
    let of = |path: PathBuf| trial(format!("{property}::{}", stem(&path)), move || check(&path));
    models.into_iter().map(of).collect()
}

/// Trials of the functions with these names, which take nothing, in the suite that asks for them.
macro_rules! trials {
    ($($check:ident),* $(,)?) => {{
        let (_, suite) = module_path!().split_once("::").unwrap();
        vec![$($crate::common::trial::trial(format!("{suite}::{}", stringify!($check)), $check)),*]
    }};
}
pub(crate) use trials;
