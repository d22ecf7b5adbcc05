//! Finding ONNX Runtime and loading it.

use std::{
    ffi::OsStr,
    fs::File,
    path::{Path, PathBuf},
    process::Command,
    sync::{Mutex, PoisonError},
};

use ort::environment::Environment;

use super::Error;

/// The version that is fetched when none is found.
pub const VERSION: &str = "1.32.0";

/// Where to look for ONNX Runtime.
#[derive(Debug, Clone, Default)]
pub struct Locate {
    /// The library, if it was named.
    pub library: Option<PathBuf>,
    /// Lets it be fetched with pip, once, when it is found nowhere: this is told what is about to
    /// happen. Nothing is fetched without it.
    pub fetch: Option<fn(&str)>,
}

/// The library: the one named, `ORT_DYLIB_PATH`, one beside the executable or in this project's
/// cache, that of an installed Python package `onnxruntime`, or one that is fetched, in that order.
pub fn locate(how: &Locate) -> Result<PathBuf, Error> {
    let named = how.library.clone().or_else(|| variable("ORT_DYLIB_PATH"));
    if let Some(path) = named {
        return if path.is_file() { Ok(path) } else { Err(Error::NoLibrary { path }) };
    }
    let beside = std::env::current_exe().ok().and_then(|exe| exe.parent().map(Path::to_path_buf));
    let cached = cache()?.join(format!("onnxruntime-{VERSION}/onnxruntime/capi"));
    let found = beside.iter().chain([&cached]).find_map(|directory| library_in(directory));
    if let Some(path) = found.or_else(installed) {
        return Ok(path);
    }
    let allowed = how.fetch.filter(|_| std::env::var_os("ABSLRP_NO_FETCH").is_none());
    let Some(notice) = allowed else {
        return Err(Error::NoRuntime { why: "fetching it was forbidden".into() });
    };
    let wheel = fetch("onnxruntime", VERSION, notice)?.join("onnxruntime/capi");
    library_in(&wheel)
        .ok_or_else(|| Error::NoRuntime { why: format!("{} holds no library", wheel.display()) })
}

/// The library in a directory.
fn library_in(directory: &Path) -> Option<PathBuf> {
    let names = |entry: std::io::Result<std::fs::DirEntry>| {
        let path = entry.ok()?.path();
        let name = path.file_name().and_then(OsStr::to_str)?;
        let library = name.starts_with("libonnxruntime.so")
            || name.starts_with("libonnxruntime.") && path.extension() == Some(OsStr::new("dylib"))
            || name == "onnxruntime.dll";
        library.then_some(path)
    };
    let mut found: Vec<_> = std::fs::read_dir(directory).ok()?.filter_map(names).collect();
    found.sort_unstable();
    found.pop()
}

/// The library of an installed Python package.
fn installed() -> Option<PathBuf> {
    let find = "import importlib.util as u; s = u.find_spec('onnxruntime'); print(s.submodule_search_locations[0] if s else '')";
    let output = Command::new(python()).args(["-c", find]).output().ok()?;
    let package = String::from_utf8(output.stdout).ok()?;
    let package = package.trim();
    (!package.is_empty()).then(|| library_in(&Path::new(package).join("capi")))?
}

/// A path in the environment; empty is none.
fn variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|path| !path.is_empty()).map(PathBuf::from)
}

fn python() -> &'static str {
    if cfg!(windows) { "python" } else { "python3" }
}

/// This project's cache: `ABSLRP_CACHE`, or the platform's place for such things.
fn cache() -> Result<PathBuf, Error> {
    let home = || variable("HOME").map(|home| home.join(".cache"));
    variable("ABSLRP_CACHE")
        .or_else(|| {
            let base =
                variable("XDG_CACHE_HOME").or_else(|| variable("LOCALAPPDATA")).or_else(home);
            base.map(|base| base.join("abslrp"))
        })
        .ok_or(Error::NoRuntime { why: "no cache directory is known; set ABSLRP_CACHE".into() })
}

/// A Python wheel, unpacked in the cache: fetched with pip, once, whoever asks at the same time.
fn fetch(package: &str, version: &str, notice: fn(&str)) -> Result<PathBuf, Error> {
    let cache = cache()?;
    let fetched = cache.join(format!("{package}-{version}"));
    if fetched.is_dir() {
        return Ok(fetched);
    }
    let refuse = |why: String| Error::NoRuntime { why };
    let io = |e: std::io::Error| refuse(format!("{}: {e}", cache.display()));
    std::fs::create_dir_all(&cache).map_err(io)?;
    let lock = File::create(cache.join("lock")).map_err(io)?;
    lock.lock().map_err(io)?;
    if fetched.is_dir() {
        return Ok(fetched); // Somebody else was faster.
    }
    notice(&format!("fetching {package} {version} with pip, once, to {}", fetched.display()));
    let staging = tempfile::tempdir_in(&cache).map_err(io)?;
    // The library inside is the same for every version of Python.
    let pip = [
        "-m",
        "pip",
        "download",
        "--quiet",
        "--disable-pip-version-check",
        "--no-deps",
        "--no-input",
        "--retries",
        "2",
        "--timeout",
        "60",
        "--only-binary=:all:",
        "--python-version",
        "3.12",
        "--dest",
    ];
    let requirement = format!("{package}=={version}");
    run(Command::new(python()).args(pip).arg(staging.path()).arg(&requirement))?;
    let wheel = std::fs::read_dir(staging.path())
        .map_err(io)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.extension() == Some(OsStr::new("whl")))
        .ok_or_else(|| refuse(format!("pip brought no wheel of {requirement}")))?;
    let unpacked = staging.path().join("unpacked");
    run(Command::new(python()).args(["-m", "zipfile", "-e"]).arg(&wheel).arg(&unpacked))?;
    std::fs::rename(&unpacked, &fetched).map_err(io)?;
    Ok(fetched)
}

fn run(command: &mut Command) -> Result<(), Error> {
    let refuse = |why: String| Error::NoRuntime { why };
    let output = command.output().map_err(|e| refuse(format!("{}: {e}", python())))?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    let last = text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("no message");
    Err(refuse(format!("pip failed: {}", last.trim())))
}

/// Loads ONNX Runtime. The library that is asked for first is the one that the process uses.
pub fn load(how: &Locate) -> Result<(), Error> {
    environment(how).map(drop)
}

/// The process's one environment.
pub(super) fn environment(how: &Locate) -> Result<Environment, Error> {
    // ONNX Runtime refuses a second one, so that threads wait for the first. A panic leaves none.
    static ENVIRONMENT: Mutex<Option<Environment>> = Mutex::new(None);
    let mut found = ENVIRONMENT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(environment) = &*found {
        return Ok(environment.clone());
    }
    let path = locate(how)?;
    let builder = ort::init_from(&path)
        .map_err(|e| Error::Library { path: path.clone(), why: e.to_string() })?;
    let environment = builder
        .with_name("abslrp")
        .with_telemetry(false)
        .build()
        .map_err(|e| Error::Library { path, why: e.to_string() })?;
    Ok(found.insert(environment).clone())
}
