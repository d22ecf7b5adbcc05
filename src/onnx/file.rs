//! Files as they are found: whoever names one may not have looked at what it is.

use std::{
    fs::{File, Metadata},
    io::{self, Read},
    path::Path,
};

/// Opens a regular file to be read. Anything else is refused before it is opened: a pipe that nobody
/// writes to blocks whoever opens it, and a device may never end.
pub fn open(path: &Path) -> io::Result<File> {
    regular(&std::fs::metadata(path)?)?;
    let file = File::open(path)?;
    // It may have been exchanged in between.
    regular(&file.metadata()?)?;
    Ok(file)
}

/// Reads a regular file of at most `limit` bytes.
pub fn read(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let file = open(path)?;
    let too_long = || io::Error::new(io::ErrorKind::InvalidData, format!("over {limit} bytes"));
    if file.metadata()?.len() > limit {
        return Err(too_long());
    }
    let mut bytes = Vec::new();
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit { Err(too_long()) } else { Ok(bytes) }
}

fn regular(metadata: &Metadata) -> io::Result<()> {
    if metadata.is_file() {
        return Ok(());
    }
    Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"))
}

/// What a file is, by whichever of its names it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity(Inner);

#[cfg(unix)]
type Inner = (u64, u64);
#[cfg(not(unix))]
type Inner = std::path::PathBuf;

impl Identity {
    /// The file at `path`, with links followed; nothing where there is none.
    pub(crate) fn of(path: &Path) -> Option<Self> {
        #[cfg(unix)]
        {
            let metadata = std::fs::metadata(path).ok()?;
            let device = std::os::unix::fs::MetadataExt::dev(&metadata);
            Some(Self((device, std::os::unix::fs::MetadataExt::ino(&metadata))))
        }
        #[cfg(not(unix))]
        {
            path.canonicalize().ok().map(Self)
        }
    }
}
