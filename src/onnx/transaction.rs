//! All that a command writes, in place together or not at all.
//!
//! What is written is staged in a directory of its own beside its place, in the layout that it will
//! have there, so that it can be looked at and run before anybody else sees it. Only then are the
//! files renamed. A run that fails, is refused or is told to end leaves what was there before.

use std::{
    fs::File,
    io,
    path::{Component, Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::{Error, file::Identity};

/// The directories to be removed when the process is told to end. Whoever holds the lock is the only
/// one that creates or moves files, so that a signal comes before a commit or after it.
static SCRATCH: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

fn scratch() -> MutexGuard<'static, Vec<PathBuf>> {
    SCRATCH.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Removes all that is staged, for a process that is about to exit: whoever would stage or commit
/// something afterwards waits for that.
pub fn abandon() {
    let mut open = scratch();
    for directory in open.drain(..) {
        let _ = std::fs::remove_dir_all(directory);
    }
    std::mem::forget(open);
}

/// A directory of this process alone, which is gone when this is dropped or the process is told to
/// end ([`abandon`]).
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
}

impl Scratch {
    /// A directory within `parent`.
    pub fn within(parent: &Path) -> io::Result<Self> {
        let mut open = scratch();
        let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
        // Absolute, so that it is found again whatever becomes of the current directory.
        let parent = std::path::absolute(parent)?;
        let path = tempfile::Builder::new().prefix(".abslrp-").tempdir_in(parent)?.keep();
        open.push(path.clone());
        Ok(Self { path })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A new file in it, with the directories that lead there.
    fn create(&self, relative: &Path) -> io::Result<(File, PathBuf)> {
        let _open = scratch();
        let path = self.path.join(relative);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        Ok((File::create_new(&path)?, path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let mut open = scratch();
        let _ = std::fs::remove_dir_all(&self.path);
        open.retain(|path| *path != self.path);
    }
}

/// Files that are staged, and those that none of them may replace.
#[derive(Debug, Default)]
pub struct Transaction {
    protected: Vec<Identity>,
    files: Vec<Staged>,
    kept: Vec<(PathBuf, PathBuf)>,
    stages: Vec<(PathBuf, Scratch)>,
}

#[derive(Debug)]
struct Staged {
    directory: PathBuf,
    relative: PathBuf,
    at: PathBuf,
}

impl Staged {
    fn target(&self) -> PathBuf {
        self.directory.join(&self.relative)
    }
}

/// Where staged files lie in a stage, and where those that they replace are kept meanwhile.
const NEW: &str = "new";
const OLD: &str = "old";

impl Transaction {
    /// Says that a file is read: nothing is written over it, whatever it is called.
    pub fn protect(&mut self, path: &Path) {
        self.protected.extend(Identity::of(path));
    }

    /// Refuses a place that nothing may be written to: that of a file that is read, or of something
    /// that is no regular file.
    pub fn check(&self, path: &Path) -> Result<(), Error> {
        let (directory, name) = split(path)?;
        self.check_below(&directory, &name)
    }

    fn check_below(&self, directory: &Path, relative: &Path) -> Result<(), Error> {
        let mut at = directory.to_path_buf();
        let mut parts = relative.components().peekable();
        while let Some(part) = parts.next() {
            at.push(part);
            let refuse = |what: &str| Err(Error::Model { path: at.clone(), what: what.into() });
            let found = match std::fs::symlink_metadata(&at) {
                Ok(found) => found,
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
                Err(error) => return Err(Error::io(at)(error)),
            };
            match parts.peek() {
                Some(_) if found.is_dir() => {}
                Some(_) => return refuse("not a directory, and files would be written below it"),
                None if !found.is_file() => {
                    return refuse("not a regular file, and would be replaced; name another file");
                }
                None if Identity::of(&at).is_some_and(|file| self.protected.contains(&file)) => {
                    return refuse(
                        "the output would overwrite a file that is read; name another file",
                    );
                }
                None => {}
            }
        }
        Ok(())
    }

    /// A new file that will be at `path`.
    pub fn create(&mut self, path: &Path) -> Result<File, Error> {
        let (directory, name) = split(path)?;
        self.create_below(&directory, &name)
    }

    /// A new file that will be at `relative` to `directory`, with the directories that lead there.
    pub fn create_below(&mut self, directory: &Path, relative: &Path) -> Result<File, Error> {
        self.check_below(directory, relative)?;
        let path = directory.join(relative);
        let stage = self.stage(directory).map_err(Error::io(&path))?;
        let (file, at) =
            stage.create(&Path::new(NEW).join(relative)).map_err(|error| match error.kind() {
                io::ErrorKind::AlreadyExists => Error::Model {
                    path: path.clone(),
                    what: "two files would be written to this place; name another".into(),
                },
                _ => Error::io(&path)(error),
            })?;
        let (directory, relative) = (directory.to_path_buf(), relative.to_path_buf());
        self.files.push(Staged { directory, relative, at });
        Ok(file)
    }

    /// Says that a file which is already there belongs to those that are staged.
    pub fn keep(&mut self, directory: &Path, relative: &Path) {
        self.kept.push((directory.to_path_buf(), relative.to_path_buf()));
    }

    fn stage(&mut self, directory: &Path) -> io::Result<&Scratch> {
        let known = self.stages.iter().position(|(known, _)| known == directory);
        let at = match known {
            Some(at) => at,
            None => {
                // The message of the error would name a directory that nobody asked for.
                let stage = Scratch::within(directory).map_err(|e| io::Error::from(e.kind()))?;
                self.stages.push((directory.to_path_buf(), stage));
                self.stages.len() - 1
            }
        };
        Ok(&self.stages[at].1)
    }

    /// Where the file lies that will be at `path`, with all that belongs to it around it: as it will
    /// be, to be tried before it is.
    pub fn rehearse(&mut self, path: &Path) -> Result<PathBuf, Error> {
        for (directory, relative) in std::mem::take(&mut self.kept) {
            let from = directory.join(&relative);
            let stage = self.stage(&directory).map_err(Error::io(&from))?;
            let (file, to) =
                stage.create(&Path::new(NEW).join(&relative)).map_err(Error::io(&from))?;
            drop(file);
            let linked = std::fs::remove_file(&to).and_then(|()| std::fs::hard_link(&from, &to));
            // Not every file system has links, and not every file may be linked to.
            linked.or_else(|_| std::fs::copy(&from, &to).map(drop)).map_err(Error::io(&from))?;
        }
        let staged = self.files.iter().find(|staged| staged.target() == path);
        let missing = || Error::io(path)(io::ErrorKind::NotFound.into());
        staged.map(|staged| staged.at.clone()).ok_or_else(missing)
    }

    /// Puts everything in its place. Where that fails halfway, what was there before is put back.
    pub fn commit(self) -> Result<(), Error> {
        let open = scratch();
        let mut done = Vec::new();
        let mut made = Vec::new();
        let result =
            self.files.iter().try_for_each(|staged| self.place(staged, &mut done, &mut made));
        if result.is_err() {
            for (target, old) in done.into_iter().rev() {
                let _ = match old {
                    Some(old) => std::fs::rename(old, target),
                    None => std::fs::remove_file(target),
                };
            }
            for directory in made.into_iter().rev() {
                let _ = std::fs::remove_dir(directory);
            }
        }
        drop(open); // The stages are about to be removed.
        result
    }

    fn place(
        &self,
        staged: &Staged,
        done: &mut Vec<(PathBuf, Option<PathBuf>)>,
        made: &mut Vec<PathBuf>,
    ) -> Result<(), Error> {
        // Much may have happened since it was staged.
        self.check_below(&staged.directory, &staged.relative)?;
        let target = staged.target();
        let mut directory = staged.directory.clone();
        for part in staged.relative.parent().into_iter().flat_map(Path::components) {
            directory.push(part);
            match std::fs::create_dir(&directory) {
                Ok(()) => made.push(directory.clone()),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(Error::io(directory)(error)),
            }
        }
        let stage = self.stages.iter().find(|(known, _)| *known == staged.directory);
        let old = stage.and_then(|(_, stage)| {
            let old = stage.path().join(OLD).join(done.len().to_string());
            std::fs::create_dir_all(stage.path().join(OLD)).ok()?;
            std::fs::hard_link(&target, &old).ok()?;
            Some(old)
        });
        let replaces = target.exists();
        std::fs::rename(&staged.at, &target).map_err(Error::io(&target))?;
        // What was replaced without a copy stays replaced: there are file systems without links.
        if old.is_some() || !replaces {
            done.push((target, old));
        }
        Ok(())
    }
}

/// A path as the directory and the name of a file in it.
fn split(path: &Path) -> Result<(PathBuf, PathBuf), Error> {
    let unnamed = || Error::Model { path: path.into(), what: "not the name of a file".into() };
    let name = path.file_name().ok_or_else(unnamed)?;
    let plain = matches!(path.components().next_back(), Some(Component::Normal(_)));
    let directory = path.parent().unwrap_or(Path::new(""));
    if plain { Ok((directory.into(), name.into())) } else { Err(unnamed()) }
}
