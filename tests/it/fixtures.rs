//! The fixtures that need no more than the `onnx` package are what their script makes.

use std::{fs, path::Path, process::Command};

use libtest_mimic::Trial;

use crate::common::{fixture, models, python_packages, trials};

pub fn trials() -> Vec<Trial> {
    trials![forms_are_what_their_script_makes]
}

fn forms_are_what_their_script_makes() {
    let directory = tempfile::tempdir().unwrap();
    // It writes beside itself.
    let script = directory.path().join("forms.py");
    fs::copy(fixture("forms.py"), &script).unwrap();
    let output =
        Command::new("python3").env("PYTHONPATH", python_packages()).arg(&script).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let names = |folder: &Path| {
        let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<_> = names.collect();
        names.sort();
        names
    };
    let made = directory.path().join("forms");
    assert_eq!(names(&made), names(&fixture("forms")));
    for path in models("forms") {
        let name = path.file_name().unwrap();
        let same = fs::read(made.join(name)).unwrap() == fs::read(&path).unwrap();
        assert!(same, "{} is another: run fixtures/forms.py", path.display());
    }
}
