//! The fixtures that need no more than the `onnx` package are what their script makes.

use std::{fs, path::Path, process::Command};

use libtest_mimic::Trial;

use crate::common::{each, fixture, models, python_packages};

pub fn trials() -> Vec<Trial> {
    each(
        "fixtures",
        ["forms", "claims", "embeddings", "feeds", "recurrent", "verification"],
        models_are_what_their_script_makes,
    )
}

/// The script of a folder is called like it.
fn models_are_what_their_script_makes(folder: &str) {
    let directory = tempfile::tempdir().unwrap();
    // It writes beside itself.
    let name = format!("{folder}.py");
    let script = directory.path().join(&name);
    fs::copy(fixture(&name), &script).unwrap();
    let output =
        Command::new("python3").env("PYTHONPATH", python_packages()).arg(&script).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let names = |folder: &Path| {
        let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<_> = names.collect();
        names.sort();
        names
    };
    let made = directory.path().join(folder);
    assert_eq!(names(&made), names(&fixture(folder)));
    for path in models(folder) {
        let name = path.file_name().unwrap();
        let same = fs::read(made.join(name)).unwrap() == fs::read(&path).unwrap();
        assert!(same, "{} is another: run fixtures/{folder}.py", path.display());
    }
}
