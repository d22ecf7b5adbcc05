//! Finding ONNX Runtime and loading it.

use std::{
    ffi::OsStr,
    fs::File,
    path::{Path, PathBuf},
    process::Command,
    sync::{Mutex, PoisonError},
};

use ort::{
    environment::Environment,
    ep::{self, ExecutionProvider},
};

use super::Error;
use crate::onnx::transaction::Scratch;

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
/// None is loaded that others could have written, and none because it lies in the current directory.
pub fn locate(how: &Locate) -> Result<PathBuf, Error> {
    if let Some(path) = &how.library {
        return named(path);
    }
    if let Some(path) = variable("ORT_DYLIB_PATH") {
        let path = absolute("ORT_DYLIB_PATH", path)?;
        return named(&path);
    }
    if let Some(path) = beside().or(cached()?).or_else(installed) {
        return Ok(path);
    }
    let allowed = how.fetch.filter(|_| std::env::var_os("ABSLRP_NO_FETCH").is_none());
    let Some(notice) = allowed else {
        return Err(Error::NoRuntime { why: "fetching it was forbidden".into() });
    };
    fetch(notice)
}

/// A library that the user chose.
fn named(path: &Path) -> Result<PathBuf, Error> {
    let missing = || Error::NoLibrary { path: path.into() };
    // With a directory in its name, so that the loader looks nowhere else.
    let real = path.canonicalize().map_err(|_| missing())?;
    if !real.is_file() {
        return Err(missing());
    }
    match trust::distrust(&real) {
        None => Ok(real),
        Some(why) => Err(Error::Untrusted { path: path.into(), why }),
    }
}

/// The library beside the executable, unless that is where the user happens to be: what lies there
/// may have come with a model.
fn beside() -> Option<PathBuf> {
    let directory = std::env::current_exe().ok()?.parent()?.canonicalize().ok()?;
    let here = std::env::current_dir().and_then(|here| here.canonicalize()).ok();
    if here.as_ref() == Some(&directory) { None } else { library_in(&directory) }
}

/// The library that was fetched before.
fn cached() -> Result<Option<PathBuf>, Error> {
    Ok(library_in(&cache()?.join(FETCHED).join(CAPI)))
}

/// The library in a directory, if it is one to be trusted.
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
    let real = found.pop()?.canonicalize().ok()?;
    (real.is_file() && trust::distrust(&real).is_none()).then_some(real)
}

/// The library of an installed Python package.
fn installed() -> Option<PathBuf> {
    // Isolated, Python leaves out what the user has installed for himself, which is welcome here.
    let find = "import importlib.util as u, site, sys; sys.path.append(site.getusersitepackages()); \
                s = u.find_spec('onnxruntime'); print(s.submodule_search_locations[0] if s else '')";
    let place = Scratch::within(&std::env::temp_dir()).ok()?;
    let output = first_python(&place)?.args(["-c", find]).output().ok()?;
    let package = String::from_utf8(output.stdout).ok()?;
    let package = Path::new(package.trim());
    package.is_absolute().then(|| library_in(&package.join("capi")))?
}

/// A path in the environment; empty is none.
fn variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|path| !path.is_empty()).map(PathBuf::from)
}

/// A path that does not depend on where the user happens to be.
fn absolute(name: &str, path: PathBuf) -> Result<PathBuf, Error> {
    let why = || format!("{name} is no absolute path");
    if path.is_absolute() { Ok(path) } else { Err(Error::NoRuntime { why: why() }) }
}

/// The programs of a name, as far as the directories of `PATH` do not depend on where the user happens
/// to be.
pub(super) fn programs(name: &str) -> impl Iterator<Item = PathBuf> {
    let name = format!("{name}{}", std::env::consts::EXE_SUFFIX);
    let directories = std::env::var_os("PATH").unwrap_or_default();
    let directories: Vec<_> = std::env::split_paths(&directories).collect();
    let absolute = directories.into_iter().filter(|directory| directory.is_absolute());
    absolute.map(move |directory| directory.join(&name)).filter(|path| path.is_file())
}

/// The Pythons there are.
pub(super) fn pythons() -> impl Iterator<Item = PathBuf> {
    programs(if cfg!(windows) { "python" } else { "python3" })
}

/// Python, isolated: neither the current directory nor the environment says where its modules are. It
/// runs in a directory of ours.
pub(super) fn python(path: &Path, place: &Scratch) -> Command {
    let mut command = Command::new(path);
    command.arg("-I").current_dir(place.path());
    command
}

/// The first Python, isolated.
fn first_python(place: &Scratch) -> Option<Command> {
    Some(python(&pythons().next()?, place))
}

/// This project's cache: `ABSLRP_CACHE`, or the platform's place for such things.
fn cache() -> Result<PathBuf, Error> {
    if let Some(path) = variable("ABSLRP_CACHE") {
        return absolute("ABSLRP_CACHE", path);
    }
    // Relative ones are to be ignored (XDG Base Directory Specification).
    let place = |name| variable(name).filter(|path| path.is_absolute());
    let home = || place("HOME").map(|home| home.join(".cache"));
    let base = place("XDG_CACHE_HOME").or_else(|| place("LOCALAPPDATA")).or_else(home);
    base.map(|base| base.join("abslrp"))
        .ok_or(Error::NoRuntime { why: "no cache directory is known; set ABSLRP_CACHE".into() })
}

/// The wheel in the cache.
const FETCHED: &str = "onnxruntime-1.32.0";
/// Where the library lies in it.
const CAPI: &str = "onnxruntime/capi";

/// The wheels of [`VERSION`] for Python 3.12, whose library serves any version of Python: for Linux
/// on x86-64 and ARM, macOS on ARM, Windows on x86-64 and ARM.
const SHA256: [&str; 5] = [
    "99e1074c4b2197accd5073052a465361be17b89c093b8ffb6e6bd8f986c52df8",
    "e36c187006e7a7c8b8d6d57f1a209dd63f52430dca6c282b177718ad6b841054",
    "d52510bbbcc880c13b826f7d75cdf33ac5cf0bb864d960000fc29ce73f0cb83e",
    "efe7456952c243a05a53d5b8732953625144642c2f3989094277f6217f0c0c40",
    "64d394c69d561af3efd4d4f49dcac8f11d0ce135a20701c16d53b74056cd4cf8",
];

/// The library of a Python wheel, unpacked in the cache: fetched with pip, once, whoever asks at the
/// same time. pip refuses a wheel that is not one of those which were known when this was written.
fn fetch(notice: fn(&str)) -> Result<PathBuf, Error> {
    let cache = cache()?;
    let refuse = |why: String| Error::NoRuntime { why };
    let io = |e: std::io::Error| refuse(format!("{}: {e}", cache.display()));
    create_private(&cache).map_err(io)?;
    if let Some(why) = trust::distrust(&cache) {
        return Err(Error::Untrusted { path: cache, why });
    }
    // The directory is ours alone, so that nobody can have put a link here.
    let mut lock = File::options();
    let lock = lock.read(true).write(true).create(true).truncate(false).open(cache.join("lock"));
    lock.and_then(|lock| lock.lock().map(|()| lock)).map_err(io)?;
    if let Some(library) = cached()? {
        return Ok(library); // Somebody else was faster.
    }
    let fetched = cache.join(FETCHED);
    notice(&format!("fetching onnxruntime {VERSION} with pip, once, to {}", fetched.display()));
    let staging = Scratch::within(&cache).map_err(io)?;
    let hashes = SHA256.map(|hash| format!("--hash=sha256:{hash}")).join(" ");
    let requirement = format!("onnxruntime=={VERSION} {hashes}\n");
    std::fs::write(staging.path().join("requirements.txt"), requirement).map_err(io)?;
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
        "--require-hashes",
        "--dest",
        "wheel",
        "--requirement",
        "requirements.txt",
    ];
    let python = || first_python(&staging).ok_or_else(|| refuse("there is no python3".into()));
    run(python()?.env("TMPDIR", staging.path()).args(pip))?;
    let wheel = std::fs::read_dir(staging.path().join("wheel"))
        .map_err(io)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.extension() == Some(OsStr::new("whl")))
        .ok_or_else(|| refuse(format!("pip brought no wheel of onnxruntime {VERSION}")))?;
    let unpacked = staging.path().join("unpacked");
    run(python()?.args(["-m", "zipfile", "-e"]).arg(&wheel).arg(&unpacked))?;
    // What is there holds no library that can be trusted, or it would have been found.
    if fetched.symlink_metadata().is_ok() {
        std::fs::rename(&fetched, staging.path().join("old")).map_err(io)?;
    }
    std::fs::rename(&unpacked, &fetched).map_err(io)?;
    cached()?.ok_or_else(|| refuse(format!("{} holds no library", fetched.display())))
}

/// Creates a directory that nobody else can write to.
fn create_private(directory: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(directory)
}

fn run(command: &mut Command) -> Result<(), Error> {
    let refuse = |why: String| Error::NoRuntime { why };
    let output = command.output().map_err(|e| refuse(format!("python3: {e}")))?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    let last = text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("no message");
    Err(refuse(format!("pip failed: {}", last.trim())))
}

/// Whether a file can be trusted to be what its owner put there.
pub(super) mod trust {
    use std::path::Path;

    /// Who else could have written the file or directory at a path without links, or exchanged it:
    /// nothing where it can be trusted. Users whom the system keeps apart by other means than owners
    /// and modes are taken at their word.
    #[cfg(unix)]
    pub(in crate::verify) fn distrust(path: &Path) -> Option<String> {
        use std::os::unix::fs::MetadataExt;
        let me = rustix::process::geteuid().as_raw();
        path.ancestors().find_map(|at| {
            let Ok(found) = at.symlink_metadata() else {
                return Some(format!("{} cannot be looked at", at.display()));
            };
            let (owner, mode) = (found.uid(), found.mode());
            // In a directory with the sticky bit, nobody can rename or remove what is another's.
            let sticky = found.is_dir() && mode & 0o1000 != 0;
            // Many systems give each user a group of the same number, of which nobody else is; and
            // whom an administrator lets write to what is his is his to know.
            let by_group = mode & 0o020 != 0 && found.gid() != me && owner != 0;
            let by_others = mode & 0o002 != 0;
            if owner != me && owner != 0 {
                Some(format!("{} belongs to another user", at.display()))
            } else if (by_group || by_others) && !sticky {
                Some(format!("others can write to {}", at.display()))
            } else {
                None
            }
        })
    }

    #[cfg(not(unix))]
    pub(in crate::verify) fn distrust(_: &Path) -> Option<String> {
        None
    }
}

/// What was found of ONNX Runtime.
#[derive(Debug, Clone)]
pub struct Found {
    /// The library.
    pub path: PathBuf,
    /// What it says of how it was built.
    pub build: &'static str,
    /// The devices that models can run on, of those that there are options for.
    pub devices: Vec<&'static str>,
}

/// Loads ONNX Runtime, and says what it is.
pub fn look(how: &Locate) -> Result<Found, Error> {
    let path = locate(how)?;
    load(&Locate { library: Some(path.clone()), fetch: None })?;
    let cuda = ep::CUDA::is_available().unwrap_or(false);
    Ok(Found {
        path,
        build: ort::info(),
        devices: if cuda { vec!["cpu", "cuda"] } else { vec!["cpu"] },
    })
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
    let library = ort::init_from(&path);
    // Messages call it what the user does.
    let path = how.library.clone().unwrap_or(path);
    let builder = library.map_err(|e| Error::Library { path: path.clone(), why: e.to_string() })?;
    let environment = builder
        .with_name("abslrp")
        .with_telemetry(false)
        .build()
        .map_err(|e| Error::Library { path, why: e.to_string() })?;
    Ok(found.insert(environment).clone())
}
